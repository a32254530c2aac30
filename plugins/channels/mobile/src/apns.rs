//! Apple's push notification service: iPhones and what else Apple makes.

use crate::endpoint::{base, below};
use crate::http::{Answer, Http, NoAnswer, Protocol, RETRY_S, Reach, StatusCode, header, noted};
use crate::jwt::Tokens;
use crate::moment::Moment;
use crate::notification::{Notification, SIZE_MAX};
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use p256::ecdsa::SigningKey;
use p256::pkcs8::DecodePrivateKey as _;
use podium_plugin::prelude::*;
use serde_json::{Map, Value, json};
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use url::Url;

const NAME: &str = "apns";
const ENDPOINT: &str = "https://api.push.apple.com";
/// How long a token is used: Apple wants it to be between 20 and 60 minutes old.
const TOKEN_KEEP_S: i64 = 50 * 60;
/// One token serves the whole team.
const AUDIENCE: &str = "";
/// How long Apple wants to see no other token.
const TOKEN_RATE_LIMIT_S: u32 = 20 * 60;
const RATE_LIMIT_S: u32 = 60;
/// How many digits a device token may have.
const TOKEN_LEN_MAX: usize = 512;

/// Apple's push notification service.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The team's id at Apple: ten letters and digits.
    team_id: String,
    /// The key's id at Apple: ten letters and digits.
    key_id: String,
    /// The key, the text of the `.p8` file as it was downloaded.
    private_key: Secret,
    /// The app's bundle id, for addresses that name no topic of their own.
    topic: String,
    /// Where messages go, if not to `https://api.push.apple.com`.
    endpoint: Option<String>,
}

/// Where a message goes.
#[derive(Deserialize)]
pub(crate) struct Device {
    token: String,
    topic: Option<String>,
}

pub(crate) struct Apns {
    http: Http,
    tokens: Tokens,
    endpoint: Url,
    topic: String,
}

impl Apns {
    pub(crate) fn new(settings: &Settings, roots: &RootCertStore) -> Result<Self> {
        for (setting, id) in [("team_id", &settings.team_id), ("key_id", &settings.key_id)] {
            if id.is_empty() || !id.chars().all(|c| c.is_ascii_alphanumeric()) {
                return Err(Error::config(format!("`apns.{setting}`: {id:?} is no id: letters and digits")));
            }
        }
        if !is_topic(&settings.topic) {
            let text =
                format!("`apns.topic`: {:?} is no bundle id, such as com.example.shop", settings.topic);
            return Err(Error::config(text));
        }
        let key = PrivatePkcs8KeyDer::from_pem_slice(settings.private_key.reveal().as_bytes());
        let key = key.ok().and_then(|key| SigningKey::from_pkcs8_der(key.secret_pkcs8_der()).ok());
        let key = key.ok_or_else(|| {
            Error::config("`apns.private_key` must be the text of a .p8 file: a private key on P-256 in PEM")
        })?;
        let team_id = settings.team_id.clone();
        let claims = move |_: &str, now_s: i64| json!({ "iss": team_id, "iat": now_s });
        let header = json!({ "alg": "ES256", "kid": settings.key_id });
        Ok(Self {
            http: Http::new(Protocol::Http2, Reach::Anywhere, roots)?,
            tokens: Tokens::new(key, header, TOKEN_KEEP_S, claims),
            endpoint: base(settings.endpoint.as_deref().unwrap_or(ENDPOINT), "apns.endpoint")?,
            topic: settings.topic.clone(),
        })
    }

    /// Opens the connection, if there is none.
    pub(crate) async fn health(&self, moment: &Moment) -> Result<()> {
        self.http.connect(&self.endpoint, moment).await.map_err(|none| {
            let (NoAnswer::Forbidden(text) | NoAnswer::NotSent(text) | NoAnswer::Unknown(text)) = none;
            Error::internal(format!("{NAME}: {text}"))
        })
    }

    pub(crate) async fn deliver(
        &self,
        device: &Device,
        notification: &Notification<'_>,
        moment: &Moment,
    ) -> Outcome {
        let is_token =
            |token: &str| token.len() <= TOKEN_LEN_MAX && token.chars().all(|c| c.is_ascii_hexdigit());
        if device.token.is_empty() || !is_token(&device.token) {
            return Outcome::Rejected("/apns/token: it has characters besides hexadecimal digits".into());
        }
        let topic = device.topic.as_deref().unwrap_or(&self.topic);
        if !is_topic(topic) {
            return Outcome::Rejected("/apns/topic: it is no bundle id".into());
        }
        let body = body(notification).to_string();
        if body.len() > SIZE_MAX {
            return Outcome::TooLarge;
        }
        let url = below(&self.endpoint, &format!("/3/device/{}", device.token));
        let mut token = self.tokens.get(AUDIENCE, moment.now_s);
        loop {
            let headers = headers(&token, topic, notification);
            let answer = match self.http.post(&url, &headers, body.clone().into(), moment).await {
                Ok(answer) => answer,
                Err(none) => return none.outcome(NAME),
            };
            if answer.status == StatusCode::FORBIDDEN
                && let Some(renewed) = self.tokens.renewed(AUDIENCE, &token, moment.now_s)
            {
                token = renewed;
                continue;
            }
            return outcome(&answer);
        }
    }
}

fn is_topic(topic: &str) -> bool {
    !topic.is_empty() && topic.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

fn body(notification: &Notification<'_>) -> Value {
    let mut aps = json!({ "alert": { "title": notification.title, "body": notification.body } });
    let mut body: Map<String, Value> =
        notification.data.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    if let Some(image) = notification.image {
        // Lets the app's extension fetch the image before the notification is shown.
        aps["mutable-content"] = 1.into();
        body.insert("image".into(), image.into());
    }
    body.extend(notification.url.map(|url| ("url".into(), url.into())));
    body.insert("decision_id".into(), notification.decision_id.into());
    body.insert("aps".into(), aps);
    body.into()
}

fn headers(token: &str, topic: &str, notification: &Notification<'_>) -> HeaderMap {
    let fields = [
        (header::AUTHORIZATION, HeaderValue::from_str(&format!("bearer {token}"))),
        (HeaderName::from_static("apns-topic"), HeaderValue::from_str(topic)),
        (HeaderName::from_static("apns-push-type"), Ok(HeaderValue::from_static("alert"))),
        (HeaderName::from_static("apns-id"), HeaderValue::from_str(&notification.id)),
        (HeaderName::from_static("apns-collapse-id"), HeaderValue::from_str(&notification.collapse_id)),
        (HeaderName::from_static("apns-expiration"), Ok(HeaderValue::from(notification.expires_s))),
    ];
    // None of the values has a character that a header could not have.
    fields.into_iter().filter_map(|(name, value)| Some((name, value.ok()?))).collect()
}

#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    reason: String,
}

fn outcome(answer: &Answer) -> Outcome {
    let refusal: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
    let reason: String = refusal.reason.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    let words = answer.words(&reason);
    let limited = |after_s| noted(NAME, &words, Outcome::RateLimited { after_s });
    match (answer.status, reason.as_str()) {
        (StatusCode::OK, _) => {
            let id = answer.headers.get("apns-id").and_then(|id| id.to_str().ok());
            Outcome::Accepted { provider_id: id.unwrap_or_default().to_owned() }
        }
        (StatusCode::GONE, _) => Outcome::TargetGone,
        (StatusCode::PAYLOAD_TOO_LARGE, _) => Outcome::TooLarge,
        (StatusCode::FORBIDDEN, _) => noted(NAME, &words, Outcome::AuthFailed),
        (StatusCode::TOO_MANY_REQUESTS, "TooManyProviderTokenUpdates") => {
            limited(answer.retry_after_s(TOKEN_RATE_LIMIT_S))
        }
        // This one device gets too much; the others are served.
        (StatusCode::TOO_MANY_REQUESTS, "TooManyRequests") => {
            Outcome::Deferred { after_s: answer.retry_after_s(RATE_LIMIT_S) }
        }
        (StatusCode::TOO_MANY_REQUESTS, _) => limited(answer.retry_after_s(RATE_LIMIT_S)),
        (status, _) if status.is_server_error() => {
            noted(NAME, &words, Outcome::Deferred { after_s: answer.retry_after_s(RETRY_S) })
        }
        // Among them `BadDeviceToken` and `DeviceTokenNotForTopic`: a wrong endpoint or topic in the settings
        // gives the same for every address, and must not suppress them all.
        _ => Outcome::Rejected(words),
    }
}
