//! Origins of pages: a scheme, a host, and perhaps a port, as browsers say where a request comes from.

use crate::auth::Scope;
use serde::Serialize;
use std::fmt::Write as _;
use std::net::Ipv6Addr;

/// The most origins of one key.
pub(crate) const ORIGINS_MAX: usize = 100;
/// The longest origin, in bytes: a host has at most 253.
pub(crate) const ORIGIN_BYTES_MAX: usize = 300;

const FORM: &str =
    "an origin such as https://shop.example or http://localhost:3000: no path, no wildcard, in Punycode";

/// The pages that a key is for: those of these origins, or of any if there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Origins(Vec<Box<str>>);

/// Why a key has no such list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub(crate) struct BadOrigins {
    /// Which of them is wrong, if it is one.
    pub(crate) origin_idx: Option<usize>,
    /// What would be right.
    pub(crate) detail: String,
}

impl BadOrigins {
    /// Where the fault is, as a JSON pointer.
    pub(crate) fn pointer(&self) -> String {
        self.origin_idx.map_or_else(|| "/origins".to_owned(), |origin_idx| format!("/origins/{origin_idx}"))
    }
}

impl Origins {
    /// Reads the list of a key of this scope, each as browsers write it, and only once.
    pub(crate) fn new(scope: Scope, texts: &[String]) -> Result<Self, BadOrigins> {
        let bad = |origin_idx, detail: String| Err(BadOrigins { origin_idx, detail });
        if scope != Scope::Publishable && !texts.is_empty() {
            let detail = format!("a {} key is for no page; leave its origins away", scope.as_str());
            return bad(None, detail);
        }
        if ORIGINS_MAX < texts.len() {
            return bad(None, format!("at most {ORIGINS_MAX} origins, not {}", texts.len()));
        }
        let mut origins: Vec<Box<str>> = Vec::with_capacity(texts.len());
        for (origin_idx, text) in texts.iter().enumerate() {
            match normal(text) {
                Some(origin) if origins.contains(&origin) => {}
                Some(origin) => origins.push(origin),
                None => return bad(Some(origin_idx), FORM.to_owned()),
            }
        }
        Ok(Self(origins))
    }

    /// Whether pages of every origin are meant.
    pub(crate) fn is_any(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a request may come from there; who is no page says no origin.
    pub(crate) fn allow(&self, origin: Option<&[u8]>) -> bool {
        self.is_any() || origin.is_none_or(|origin| self.iter().any(|own| own.as_bytes() == origin))
    }

    /// Each of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|origin| &**origin)
    }
}

/// An origin as browsers write it: in lower case, without the port that everybody expects.
fn normal(text: &str) -> Option<Box<str>> {
    if ORIGIN_BYTES_MAX < text.len() {
        return None;
    }
    let text = text.to_ascii_lowercase();
    let (scheme, authority) = text.split_once("://")?;
    let is_scheme = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    if !scheme.starts_with(|first: char| first.is_ascii_lowercase()) || !scheme.bytes().all(is_scheme) {
        return None;
    }
    let port_at =
        authority.rfind(':').filter(|at| !authority.get(*at..).is_some_and(|rest| rest.ends_with(']')));
    let (host, port) = match port_at {
        Some(at) => (authority.get(..at)?, Some(port(authority.get(at + 1..)?)?)),
        None => (authority, None),
    };
    let expected = match scheme {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    };
    let mut origin = format!("{scheme}://{}", host_of(host)?);
    if let Some(port) = port.filter(|port| Some(*port) != expected) {
        let _ = write!(origin, ":{port}");
    }
    Some(origin.into())
}

/// A port without the sign that numbers may have elsewhere.
fn port(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A name or an address.
fn host_of(text: &str) -> Option<String> {
    if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().ok().map(|address| format!("[{address}]"));
    }
    let is_host = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
    (!text.is_empty() && text.bytes().all(is_host)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_kept_as_browsers_write_it() {
        for (text, kept) in [
            ("https://shop.example", Some("https://shop.example")),
            ("HTTPS://Shop.Example", Some("https://shop.example")),
            ("https://shop.example:443", Some("https://shop.example")),
            ("http://shop.example:80", Some("http://shop.example")),
            ("http://shop.example:443", Some("http://shop.example:443")),
            ("http://localhost:3000", Some("http://localhost:3000")),
            ("http://127.0.0.1:3000", Some("http://127.0.0.1:3000")),
            ("http://[0:0::1]:3000", Some("http://[::1]:3000")),
            ("http://[::1]", Some("http://[::1]")),
            ("https://xn--bcher-kva.example", Some("https://xn--bcher-kva.example")),
            ("capacitor://localhost", Some("capacitor://localhost")),
            ("https://shop.example/", None),
            ("https://shop.example/shoes", None),
            ("https://shop.example?", None),
            ("https://shop.example#", None),
            ("https://ann@shop.example", None),
            ("https://*.shop.example", None),
            ("https://bücher.example", None),
            ("https://shop.example:", None),
            ("https://shop.example:+80", None),
            ("https://shop.example:65536", None),
            ("https://[::1", None),
            ("https://[::g]", None),
            ("https://::1", None),
            ("https://", None),
            ("://shop.example", None),
            ("1://shop.example", None),
            ("shop.example", None),
            ("null", None),
            ("*", None),
            ("", None),
            (" https://shop.example", None),
            ("https://shop.example\0", None),
            (&*format!("https://{}", "a".repeat(ORIGIN_BYTES_MAX)), None),
        ] {
            assert_eq!(normal(text).as_deref(), kept, "{text}");
        }
    }

    #[test]
    fn a_list_lets_in_its_own_and_who_is_no_page() {
        let list = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            Origins::new(Scope::Publishable, &texts)
        };
        let own = list(&["https://a.example", "https://B.example", "https://a.example:443"]).unwrap();
        assert_eq!(own.iter().collect::<Vec<_>>(), ["https://a.example", "https://b.example"]);
        for (origin, is_let_in) in [
            (None, true),
            (Some("https://b.example"), true),
            (Some("https://b.example:8443"), false),
            (Some("http://b.example"), false),
            (Some("https://b.example.evil.example"), false),
            (Some("null"), false),
            (Some(""), false),
        ] {
            assert_eq!(own.allow(origin.map(str::as_bytes)), is_let_in, "{origin:?}");
            assert!(Origins::default().allow(origin.map(str::as_bytes)), "{origin:?}");
        }
        assert_eq!(list(&["https://a.example", "b"]).unwrap_err().pointer(), "/origins/1");
        assert_eq!(list(&["https://a.example"; ORIGINS_MAX + 1]).unwrap_err().pointer(), "/origins");
        assert!(list(&["https://a.example"; ORIGINS_MAX]).is_ok());
        for scope in [Scope::Server, Scope::Admin] {
            assert_eq!(Origins::new(scope, &[]), Ok(Origins::default()));
            assert!(Origins::new(scope, &["https://a.example".to_owned()]).is_err());
        }
    }
}
