//! A browser's subscription: where it gets messages, and the keys that only it can read them with.

use super::encryption::Keys;
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use podium_plugin::prelude::*;
use url::{Host, Url};

/// How long an endpoint may be, in bytes.
const ENDPOINT_LEN_MAX: usize = 2_048;
/// The push services of the browsers there are: these hosts, and those below them.
const SERVICES: [&str; 5] = [
    "fcm.googleapis.com",
    "android.googleapis.com",
    "push.services.mozilla.com",
    "push.apple.com",
    "notify.windows.com",
];
/// Browsers leave the padding out, others may not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What `PushSubscription.toJSON` gives in a browser. Nothing of it was checked.
#[derive(Deserialize)]
pub(crate) struct Subscription {
    endpoint: String,
    keys: EncodedKeys,
}

#[derive(Deserialize)]
struct EncodedKeys {
    p256dh: String,
    auth: String,
}

/// Where messages for a browser go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) url: Url,
    pub(crate) origin: String,
    /// Whether it is one of the services that browsers use.
    pub(crate) is_known_service: bool,
}

impl Subscription {
    /// Checks the endpoint but for the addresses behind its name; the text of the error is for the operator.
    pub(crate) fn endpoint(&self, allow_private: bool) -> Result<Endpoint, String> {
        let wrong = |text: &str| Err(format!("/web_push/endpoint: {text}"));
        if self.endpoint.len() > ENDPOINT_LEN_MAX {
            return wrong("it is too long");
        }
        let Ok(url) = Url::parse(&self.endpoint) else { return wrong("it is no URL") };
        if url.scheme() != "https" && !(allow_private && url.scheme() == "http") {
            return wrong("it must begin with https://");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return wrong("it has a user name or a password");
        }
        if url.port().is_some() && !allow_private {
            return wrong("only port 443 is allowed");
        }
        let is_known_service = match url.host() {
            Some(Host::Domain(host)) => SERVICES.iter().any(|service| is_at_or_below(host, service)),
            _ => false,
        };
        Ok(Endpoint { origin: url.origin().ascii_serialization(), is_known_service, url })
    }

    /// Reads the keys; the text of the error is for the operator.
    pub(crate) fn keys(&self) -> Result<Keys, String> {
        let p256dh = BASE64.decode(&self.keys.p256dh).unwrap_or_default();
        let auth = BASE64.decode(&self.keys.auth).unwrap_or_default();
        Keys::new(&p256dh, &auth).ok_or_else(|| "/web_push/keys: they are no keys of a subscription".into())
    }
}

fn is_at_or_below(host: &str, service: &str) -> bool {
    host.strip_suffix(service).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::Subscription;

    fn endpoint(endpoint: &str, allow_private: bool) -> Result<super::Endpoint, String> {
        let keys = serde_json::json!({ "p256dh": "", "auth": "" });
        let json = serde_json::json!({ "endpoint": endpoint, "expirationTime": null, "keys": keys });
        serde_json::from_value::<Subscription>(json).unwrap().endpoint(allow_private)
    }

    #[test]
    fn known_services_are_known_by_their_whole_name() {
        for (address, is_known) in [
            ("https://fcm.googleapis.com/fcm/send/x", true),
            ("https://updates.push.services.mozilla.com/wpush/v2/x", true),
            ("https://web.push.apple.com/x", true),
            ("https://wns2-par02p.notify.windows.com/w/?token=x", true),
            ("https://evilfcm.googleapis.com.evil.example/", false),
            ("https://evil-push.apple.com/", false),
            ("https://push.example/", false),
            ("https://1.1.1.1/", false),
        ] {
            assert_eq!(endpoint(address, false).unwrap().is_known_service, is_known, "{address}");
        }
    }

    #[test]
    fn the_origin_is_that_of_the_url() {
        assert_eq!(endpoint("HTTPS://Push.Example:443/a?b", false).unwrap().origin, "https://push.example");
        assert_eq!(endpoint("http://[::1]:81/a", true).unwrap().origin, "http://[::1]:81");
    }
}
