//! Where a redirect may lead.

use podium_plugin::prelude::*;
use url::{Position, Url};

/// Stands for the shop itself while a location is checked; nobody can list it.
const OWN: &str = "https://own.invalid/";
/// Stands for any value: values are percent-encoded, so they have no character with a meaning either.
const ANY_VALUE: &str = "any-value";

/// Hosts that redirects may lead to besides the shop's own, with the port if it is not the usual one.
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    pub(crate) fn new(hosts: &[String]) -> Result<Self> {
        let host = |host: &String| {
            let url = Url::parse(&format!("https://{host}/")).ok();
            let is_host = |url: &Url| {
                url.path() == "/"
                    && url.username().is_empty()
                    && url.query().is_none()
                    && url.fragment().is_none()
            };
            let url = url.filter(is_host).ok_or_else(|| {
                Error::config(format!(
                    "`redirect_hosts`: {host:?} is no host, such as sale.example or sale.example:8443"
                ))
            })?;
            Ok(authority(&url).to_owned())
        };
        hosts.iter().map(host).collect::<Result<_>>().map(Self)
    }

    /// Lets `location` pass if it leads to a page of the shop, or to a listed host, whatever fills its
    /// placeholders.
    pub(crate) fn check(&self, location: String) -> Result<String> {
        let wrong = |text: String| Error::content(format!("/redirect: {text}"));
        if location.contains(|c: char| c.is_control() || c.is_whitespace() && c != ' ') {
            return Err(wrong("a location has no line breaks or other control characters".into()));
        }
        // A value stands where its placeholder is, or the fallback, which may be nothing: `/{{ x }}/a.example`
        // would then lead to another host.
        for is_known in [true, false] {
            self.check_filled(&location, &filled(&location, is_known).map_err(wrong)?).map_err(wrong)?;
        }
        Ok(location)
    }

    fn check_filled(&self, location: &str, filled: &str) -> Result<(), String> {
        let own = Url::parse(OWN).map_err(|error| error.to_string())?;
        let url = own.join(filled).map_err(|error| format!("{location:?} is no location: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("{:?} is no scheme of a page; http or https", url.scheme()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a location has no user name or password".into());
        }
        if url.origin() == own.origin() {
            let is_path = filled.starts_with('/') && !filled[1..].starts_with(['/', '\\']);
            let must = || format!("{location:?} must begin with /, or with https:// and a listed host");
            return if is_path { Ok(()) } else { Err(must()) };
        }
        let found = authority(&url);
        if self.0.iter().any(|host| host == found) {
            return Ok(());
        }
        let listed = if self.0.is_empty() { "none".into() } else { self.0.join(", ") };
        Err(format!("{found:?} is not among the hosts that redirects may lead to: {listed}"))
    }
}

/// Host and port; the usual port of the scheme is left out.
fn authority(url: &Url) -> &str {
    &url[Position::BeforeHost..Position::AfterPort]
}

/// Puts a value in the place of every placeholder, or its fallback if the value is not known.
fn filled(location: &str, is_known: bool) -> Result<String, String> {
    let mut filled = String::with_capacity(location.len());
    let mut rest = location;
    while let Some((before, behind)) = rest.split_once("{{") {
        let (inside, after) = behind.split_once("}}").unwrap_or((behind, ""));
        let (_, fallback) = inside.split_once('|').unwrap_or((inside, ""));
        let fallback = fallback.trim();
        if !fallback.chars().all(|c| c.is_ascii_alphanumeric() || "-._~%".contains(c)) {
            return Err(format!(
                "the fallback {fallback:?} is no piece of a location: letters, digits, -._~%"
            ));
        }
        filled.extend([before, if is_known { ANY_VALUE } else { fallback }]);
        rest = after;
    }
    Ok(filled + rest)
}
