//! Endpoints that an operator sets.

use podium_plugin::prelude::*;
use url::Url;

/// Reads the base of a provider's addresses: scheme, host, and perhaps a path. `setting` is named in the error.
pub(crate) fn base(endpoint: &str, setting: &str) -> Result<Url> {
    let is_base = |url: &Url| {
        matches!(url.scheme(), "https" | "http")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    };
    Url::parse(endpoint).ok().filter(is_base).ok_or_else(|| {
        Error::config(format!("`{setting}`: {endpoint:?} is no address such as https://push.example"))
    })
}

/// Puts `path`, which begins with a slash, behind `base`.
pub(crate) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}
