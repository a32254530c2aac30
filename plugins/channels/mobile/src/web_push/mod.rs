//! Web Push (RFC 8030): browsers, through the push service that each has chosen.

mod encryption;
mod subscription;

use crate::http::{Answer, Http, Protocol, RETRY_S, Reach, StatusCode, header, noted};
use crate::jwt::Tokens;
use crate::moment::Moment;
use crate::notification::Notification;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use encryption::{Ephemeral, PLAINTEXT_LEN_MAX, encrypt};
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use p256::ecdsa::SigningKey;
use podium_plugin::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use subscription::Endpoint;
use tokio_rustls::rustls::RootCertStore;

pub(crate) use subscription::Subscription;

const NAME: &str = "web_push";
const TTL: HeaderName = HeaderName::from_static("ttl");
const TOPIC: HeaderName = HeaderName::from_static("topic");
/// How long a token is valid, at most a day, and how long it is used: a clock may be slow.
const TOKEN_VALID_S: i64 = 12 * 3_600;
const TOKEN_KEEP_S: i64 = 11 * 3_600;
const RATE_LIMIT_S: u32 = 60;

/// Web Push: browsers.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Whom a push service can ask about our messages: `mailto:` and a mailbox, or an `https://` address.
    subject: String,
    /// The VAPID key: a private key on P-256, 32 bytes in base64url. Subscriptions are bound to its public key.
    private_key: Secret,
    /// Lets endpoints be anywhere: plain `http://`, any port, private addresses. For a push service of your own.
    #[serde(default)]
    allow_private: bool,
}

pub(crate) struct WebPush {
    http: Http,
    tokens: Tokens,
    public_key: String,
    allow_private: bool,
}

impl WebPush {
    pub(crate) fn new(settings: &Settings, roots: &RootCertStore) -> Result<Self> {
        let subject = settings.subject.clone();
        if !subject.starts_with("mailto:") && !subject.starts_with("https://") {
            let text = format!("`web_push.subject`: {subject:?} must begin with mailto: or https://");
            return Err(Error::config(text));
        }
        let key = BASE64_URL_SAFE_NO_PAD.decode(settings.private_key.reveal().trim().trim_end_matches('='));
        let key = key.ok().filter(|key| key.len() == 32).and_then(|key| SigningKey::from_slice(&key).ok());
        let key = key.ok_or_else(|| {
            Error::config("`web_push.private_key` must be a private key on P-256: 32 bytes in base64url")
        })?;
        let public_key = BASE64_URL_SAFE_NO_PAD.encode(key.verifying_key().to_sec1_point(false));
        let header = serde_json::json!({ "typ": "JWT", "alg": "ES256" });
        let claims = move |origin: &str, now_s: i64| serde_json::json!({ "aud": origin, "exp": now_s + TOKEN_VALID_S, "sub": subject });
        let allow_private = settings.allow_private;
        let reach = if allow_private { Reach::Anywhere } else { Reach::Public };
        Ok(Self {
            http: Http::new(Protocol::Negotiated, reach, roots)?,
            tokens: Tokens::new(key, header, TOKEN_KEEP_S, claims),
            public_key,
            allow_private,
        })
    }

    pub(crate) async fn deliver(
        &self,
        subscription: &Subscription,
        notification: &Notification<'_>,
        moment: &Moment,
    ) -> Outcome {
        let read = subscription.endpoint(self.allow_private).and_then(|to| Ok((to, subscription.keys()?)));
        let (endpoint, keys) = match read {
            Ok(read) => read,
            Err(text) => return Outcome::Rejected(text),
        };
        let Ok(document) = serde_json::to_vec(&Document::of(notification)) else {
            return Outcome::Rejected("it cannot be written as JSON".into());
        };
        if document.len() > PLAINTEXT_LEN_MAX {
            return Outcome::TooLarge;
        }
        let Some(body) = Ephemeral::random().and_then(|once| encrypt(&keys, &document, &once)) else {
            return noted(NAME, "it cannot be encrypted", Outcome::Deferred { after_s: RETRY_S });
        };
        let mut token = self.tokens.get(&endpoint.origin, moment.now_s);
        loop {
            let headers = self.headers(&token, notification);
            let answer = match self.http.post(&endpoint.url, &headers, body.clone(), moment).await {
                Ok(answer) => answer,
                Err(none) => return none.outcome(NAME),
            };
            if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
                && let Some(renewed) = self.tokens.renewed(&endpoint.origin, &token, moment.now_s)
            {
                token = renewed;
                continue;
            }
            return self.outcome(&endpoint, &answer);
        }
    }

    fn headers(&self, token: &Arc<str>, notification: &Notification<'_>) -> HeaderMap {
        let credentials = format!("vapid t={token}, k={}", self.public_key);
        let fields = [
            (header::AUTHORIZATION, HeaderValue::from_str(&credentials)),
            (header::CONTENT_ENCODING, Ok(HeaderValue::from_static("aes128gcm"))),
            (header::CONTENT_TYPE, Ok(HeaderValue::from_static("application/octet-stream"))),
            (TOPIC, HeaderValue::from_str(&notification.collapse_id)),
            (TTL, Ok(HeaderValue::from(notification.ttl_s))),
        ];
        // None of the values has a character that a header could not have.
        fields.into_iter().filter_map(|(name, value)| Some((name, value.ok()?))).collect()
    }

    fn outcome(&self, endpoint: &Endpoint, answer: &Answer) -> Outcome {
        let words = answer.words("");
        // Anybody can be an endpoint, so only a push service that is known may slow or pause the channel.
        let is_trusted = self.allow_private || endpoint.is_known_service;
        match answer.status {
            status if status.is_success() => {
                self.tokens.prove(&endpoint.origin);
                let location = answer.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
                Outcome::Accepted { provider_id: location.unwrap_or_default().to_owned() }
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => Outcome::TargetGone,
            StatusCode::PAYLOAD_TOO_LARGE => Outcome::TooLarge,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if !is_trusted => Outcome::Rejected(words),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if self.tokens.is_proven(&endpoint.origin) => {
                Outcome::Rejected(format!("{words}: the subscription is bound to another key"))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                noted(NAME, &format!("{}: {words}", endpoint.origin), Outcome::AuthFailed)
            }
            StatusCode::TOO_MANY_REQUESTS if is_trusted => {
                let outcome = Outcome::RateLimited { after_s: answer.retry_after_s(RATE_LIMIT_S) };
                noted(NAME, &format!("{}: {words}", endpoint.origin), outcome)
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                Outcome::Deferred { after_s: answer.retry_after_s(RETRY_S) }
            }
            status if status.is_server_error() => {
                Outcome::Deferred { after_s: answer.retry_after_s(RETRY_S) }
            }
            _ => Outcome::Rejected(words),
        }
    }
}

/// What the shop's service worker gets.
#[derive(Serialize)]
struct Document<'a> {
    title: &'a str,
    body: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    data: &'a BTreeMap<String, String>,
    /// To be given to `showNotification`: a topic replaces only what has not arrived.
    tag: &'a str,
    decision_id: &'a str,
}

impl<'a> Document<'a> {
    fn of(notification: &'a Notification<'_>) -> Self {
        Self {
            title: notification.title,
            body: notification.body,
            url: notification.url,
            image: notification.image,
            data: &notification.data,
            tag: &notification.collapse_id,
            decision_id: notification.decision_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Endpoint, HeaderMap, Settings, StatusCode, WebPush};
    use hyper::body::Bytes;
    use podium_plugin::prelude::*;
    use tokio_rustls::rustls::RootCertStore;

    fn outcome(is_known_service: bool, status: StatusCode) -> Outcome {
        let key =
            serde_json::json!({ "secret": "KEY", "value": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" });
        let settings = serde_json::json!({ "subject": "mailto:push@shop.example", "private_key": key });
        let settings: Settings = serde_json::from_value(settings).unwrap();
        let web_push = WebPush::new(&settings, &RootCertStore::empty()).unwrap();
        let url: url::Url = "https://push.example/a".parse().unwrap();
        let endpoint = Endpoint { origin: url.origin().ascii_serialization(), url, is_known_service };
        web_push.outcome(&endpoint, &Answer { status, headers: HeaderMap::new(), body: Bytes::new() })
    }

    #[test]
    fn only_a_service_that_is_known_slows_or_pauses_the_channel() {
        for (status, known, unknown) in [
            (StatusCode::UNAUTHORIZED, Outcome::AuthFailed, Outcome::Rejected("HTTP 401".into())),
            (StatusCode::FORBIDDEN, Outcome::AuthFailed, Outcome::Rejected("HTTP 403".into())),
            (
                StatusCode::TOO_MANY_REQUESTS,
                Outcome::RateLimited { after_s: 60 },
                Outcome::Deferred { after_s: 30 },
            ),
        ] {
            assert_eq!(outcome(true, status), known);
            assert_eq!(outcome(false, status), unknown);
        }
    }
}
