//! Where links of an email may lead.

use podium_plugin::values_as_url;

/// How a placeholder begins.
pub(crate) const OPEN: &str = "{{";
const CLOSE: &str = "}}";
/// Addresses that the server makes for each message.
const OURS: [&str; 2] = ["podium.unsubscribe_url", "podium.open_url"];
/// What runs in a page; a mail has none.
const CODE: [&str; 3] = ["javascript", "vbscript", "data"];

/// What a link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// A page: a click on it can be counted.
    Page,
    /// A mailbox, a telephone, a place in the mail, an app: it stays as it is.
    Other,
}

/// Tells what a link leads to.
///
/// # Errors
///
/// What is wrong: it must lead somewhere, and no value may decide where.
pub(crate) fn read(link: &str) -> Result<Link, String> {
    let link = link.trim();
    if link.is_empty() || link.starts_with('#') || is_ours(link) {
        return Ok(Link::Other);
    }
    let (beginning, is_open) = beginning(link);
    let scheme = beginning.split_once(':').map(|(scheme, behind)| (scheme.to_ascii_lowercase(), behind));
    match scheme {
        Some((scheme, behind)) if matches!(scheme.as_str(), "http" | "https") => {
            let host = behind.strip_prefix("//").unwrap_or_default();
            let is_fixed = match host.find(['/', '?', '#']) {
                Some(len) => 0 < len,
                None => !is_open && !host.is_empty(),
            };
            let wrong = "a placeholder may not decide where it leads; begin with https://host/";
            if is_fixed { Ok(Link::Page) } else { Err(wrong.into()) }
        }
        Some((scheme, _)) if CODE.contains(&scheme.as_str()) => Err(format!("no mail runs {scheme}:")),
        Some((scheme, _)) if is_scheme(&scheme) => Ok(Link::Other),
        _ if is_open && beginning.is_empty() => {
            Err("a placeholder may not decide where it leads; begin with https://host/".into())
        }
        _ => Err("a mail is on no page; begin with https://host/, mailto: or tel:".into()),
    }
}

/// Lets the address of an image, a style or a form pass, unless a value decides whose it is.
pub(crate) fn check_source(source: &str) -> Result<(), String> {
    if source.contains(OPEN) && !source.trim_start().starts_with("cid:") {
        read(source).map(drop)
    } else {
        Ok(())
    }
}

/// Makes every placeholder of a link a piece of a URL, but for those that are the whole of it.
pub(crate) fn as_url(link: &str) -> String {
    if is_ours(link) { link.to_owned() } else { values_as_url(link) }
}

/// Whether it is an address that the server makes, and nothing else.
pub(crate) fn is_ours(link: &str) -> bool {
    let inside = link.trim().strip_prefix(OPEN).and_then(|link| link.strip_suffix(CLOSE));
    inside.is_some_and(|name| OURS.contains(&name.trim()))
}

/// Splits off what stands before the first placeholder, and says whether there is one.
fn beginning(link: &str) -> (&str, bool) {
    link.split_once(OPEN).map_or((link, false), |(beginning, _)| (beginning, true))
}

fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-'))
}

#[cfg(test)]
mod tests {
    use super::{Link, as_url, read};

    #[test]
    fn a_link_leads_where_its_beginning_says() {
        for link in ["https://a.example", "HTTP://a.example/{{ x }}", " https://a.example?{{x}} "] {
            assert_eq!(read(link), Ok(Link::Page), "{link}");
        }
        for link in [
            "",
            "#top",
            "mailto:a@b?subject={{ x }}",
            "tel:+1",
            "shop-app://cart/{{ id }}",
            "{{podium.unsubscribe_url}}",
        ] {
            assert_eq!(read(link), Ok(Link::Other), "{link}");
        }
        for link in ["{{ x }}", "https://{{ x }}/", "https:///a", "https:a.example", "https://a{{ x }}"] {
            let refused = read(link).unwrap_err();
            assert_eq!(refused, "a placeholder may not decide where it leads; begin with https://host/");
        }
        assert_eq!(read("JavaScript:alert(1)").unwrap_err(), "no mail runs javascript:");
        for link in ["/cart", "cart.html", "//a.example/", "{{ x", "a b:c"] {
            assert!(read(link).is_err(), "{link}");
        }
    }

    #[test]
    fn placeholders_of_links_become_pieces_of_urls() {
        assert_eq!(as_url("mailto:a?b={{ x }}"), "mailto:a?b={{url:x }}");
        assert_eq!(as_url("{{ podium.open_url }}"), "{{ podium.open_url }}");
    }
}
