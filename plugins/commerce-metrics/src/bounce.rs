//! Bounce: who saw one page and left.

use crate::{NoSettings, bit};
use podium_plugin::prelude::*;

pub(crate) struct Bounce;

const URL: usize = 0;
const REFERRER: usize = 1;
/// Which read selected the event.
const PAGE: usize = 0;

impl Metric for Bounce {
    type Config = NoSettings;
    type Sums = [f64; 1]; // signs of interest

    const INFO: MetricInfo = MetricInfo::proportion("bounce", "Bounce")
        .description(
            "The share of sessions that ended where they began: no second page of the site, no click, nothing \
             put into the cart. For experiments whose unit is the session.",
        )
        .direction(Direction::Decrease)
        .window_days(1);

    fn create(_: NoSettings) -> Result<Self> {
        Ok(Self)
    }

    fn fields(&self) -> Fields {
        Fields::new()
            .column("url", Column::Text)
            .column("referrer", Column::Text)
            .read(Read::page().property("url", "url").property("referrer", "referrer"))
            .read(Read::event("Product Clicked"))
            .read(Read::event("Promotion Clicked"))
            .read(Read::event("Product Added"))
    }

    fn observe(&self, event: &Event<'_>) -> [f64; 1] {
        let is_entry =
            event.read_idx() == PAGE && !is_reached_from_within(event.text(URL), event.text(REFERRER));
        [bit(!is_entry)]
    }

    fn value(&self, [interest]: [f64; 1]) -> (f64, f64) {
        (bit(interest == 0.0), 1.0)
    }
}

/// Whether the page before was one of the same site. Without a referrer, the visitor typed the address or
/// followed a bookmark, which is an entry too.
fn is_reached_from_within(url: Option<&str>, referrer: Option<&str>) -> bool {
    match (url.and_then(site), referrer.and_then(site)) {
        (Some(here), Some(from)) => here.eq_ignore_ascii_case(from),
        (None, _) | (_, None) => false,
    }
}

/// Cuts the site out of an address: the host, without a leading `www.`, user, port and what follows.
fn site(address: &str) -> Option<&str> {
    let (_, rest) = address.trim().split_once("://")?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host_and_port = authority.rsplit('@').next()?;
    let host = match host_and_port.strip_prefix('[') {
        Some(ipv6) => ipv6.split(']').next()?,
        None => host_and_port.split(':').next()?,
    };
    let host =
        host.get(..4).filter(|prefix| prefix.eq_ignore_ascii_case("www.")).map_or(host, |_| &host[4..]);
    Some(host.trim_end_matches('.')).filter(|host| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{is_reached_from_within, site};

    #[test]
    fn a_site_is_the_host() {
        for (address, expected) in [
            ("https://shop.example/a?b#c", Some("shop.example")),
            ("https://www.shop.example", Some("shop.example")),
            ("http://WWW.shop.example:8080/", Some("shop.example")),
            ("https://user:secret@shop.example/", Some("shop.example")),
            ("https://shop.example?x=https://other.example/", Some("shop.example")),
            ("http://[::1]:80/a", Some("::1")),
            ("android-app://com.google.android.gm", Some("com.google.android.gm")),
            ("https://ünï.example/", Some("ünï.example")),
            ("https://日本/", Some("日本")),
            ("https://www.", None),
            ("https:///a", None),
            ("/cart", None),
            ("", None),
        ] {
            assert_eq!(site(address), expected, "{address}");
        }
    }

    #[test]
    fn only_the_own_site_is_within() {
        let url = Some("https://shop.example/cart");
        for (referrer, expected) in [
            (Some("https://www.shop.example/"), true),
            (Some("https://Shop.Example/"), true),
            (Some("https://google.example/?q=shop.example"), false),
            (Some("https://blog.shop.example/"), false),
            (Some(""), false),
            (None, false),
        ] {
            assert_eq!(is_reached_from_within(url, referrer), expected, "{referrer:?}");
        }
        assert!(!is_reached_from_within(None, None));
        assert!(!is_reached_from_within(None, Some("https://shop.example/")));
    }
}
