//! Firebase Cloud Messaging, HTTP v1: Android, and what else a Firebase project reaches.

mod access;

use crate::endpoint::{base, below};
use crate::http::{Answer, Http, Protocol, RETRY_S, Reach, StatusCode, header, noted};
use crate::moment::Moment;
use crate::notification::{Notification, SIZE_MAX};
use access::{Access, NoToken, ServiceAccount};
use hyper::HeaderMap;
use hyper::header::HeaderValue;
use podium_plugin::prelude::*;
use serde_json::{Map, Value, json};
use tokio_rustls::rustls::RootCertStore;
use url::Url;

const NAME: &str = "fcm";
const ENDPOINT: &str = "https://fcm.googleapis.com";
const RATE_LIMIT_S: u32 = 60;

/// Firebase Cloud Messaging: Android, and what else a Firebase project reaches.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The key file of a service account, the JSON text as it was downloaded.
    service_account: Secret,
    /// The project, if it is not the one that the key file names.
    project_id: Option<String>,
    /// Where messages go, if not to `https://fcm.googleapis.com`.
    endpoint: Option<String>,
    /// Where access tokens come from, if not from where the key file says.
    token_endpoint: Option<String>,
}

/// Where a message goes.
#[derive(Deserialize)]
pub(crate) struct Device {
    token: String,
}

pub(crate) struct Fcm {
    http: Http,
    access: Access,
    url: Url,
}

impl Fcm {
    pub(crate) fn new(settings: &Settings, roots: &RootCertStore) -> Result<Self> {
        let account = ServiceAccount::read(&settings.service_account)?;
        let project_id = settings.project_id.as_deref().or(account.project_id()).unwrap_or_default();
        let is_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':');
        if project_id.is_empty() || !project_id.chars().all(is_id) {
            let text = format!(
                "`fcm.project_id`: {project_id:?} is no id of a project, and the key file names none"
            );
            return Err(Error::config(text));
        }
        let endpoint = base(settings.endpoint.as_deref().unwrap_or(ENDPOINT), "fcm.endpoint")?;
        Ok(Self {
            url: below(&endpoint, &format!("/v1/projects/{project_id}/messages:send")),
            access: Access::new(account, settings.token_endpoint.as_deref())?,
            http: Http::new(Protocol::Negotiated, Reach::Anywhere, roots)?,
        })
    }

    /// Gets an access token, if there is none.
    pub(crate) async fn health(&self, moment: &Moment) -> Result<()> {
        let token = self.access.token(&self.http, None, moment).await;
        token.map(drop).map_err(|none| Error::internal(format!("{NAME}: {}", none.words())))
    }

    pub(crate) async fn deliver(
        &self,
        device: &Device,
        notification: &Notification<'_>,
        moment: &Moment,
    ) -> Outcome {
        let shown = shown(notification);
        let data = data(notification);
        // The provider counts these, and not what says where and how.
        if shown.to_string().len() + data.to_string().len() > SIZE_MAX {
            return Outcome::TooLarge;
        }
        let body = body(&device.token, notification, &shown, &data).to_string();
        let mut refused = None;
        loop {
            let token = match self.access.token(&self.http, refused.as_deref(), moment).await {
                Ok(token) => token,
                Err(NoToken::Refused(words)) => return noted(NAME, &words, Outcome::AuthFailed),
                Err(NoToken::NotNow { words, after_s }) => {
                    return noted(NAME, &words, Outcome::Deferred { after_s });
                }
            };
            let Ok(credentials) = HeaderValue::from_str(&format!("Bearer {token}")) else {
                return noted(NAME, "the access token is none", Outcome::Deferred { after_s: RETRY_S });
            };
            let headers = HeaderMap::from_iter([
                (header::AUTHORIZATION, credentials),
                (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            ]);
            let answer = match self.http.post(&self.url, &headers, body.clone().into(), moment).await {
                Ok(answer) => answer,
                Err(none) => return none.outcome(NAME),
            };
            let code = error_code(&answer);
            let is_ours = answer.status == StatusCode::UNAUTHORIZED && code != "THIRD_PARTY_AUTH_ERROR";
            if is_ours && refused.is_none() {
                refused = Some(token);
                continue;
            }
            return outcome(&answer, &code);
        }
    }
}

fn shown(notification: &Notification<'_>) -> Value {
    let mut shown = json!({ "title": notification.title, "body": notification.body });
    if let Some(image) = notification.image {
        shown["image"] = image.into();
    }
    shown
}

/// What the app gets: texts only, as the provider wants them.
fn data(notification: &Notification<'_>) -> Value {
    let mut data: Map<String, Value> =
        notification.data.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    data.extend(notification.url.map(|url| ("url".into(), url.into())));
    data.insert("decision_id".into(), notification.decision_id.into());
    data.into()
}

fn body(token: &str, notification: &Notification<'_>, shown: &Value, data: &Value) -> Value {
    let Notification { collapse_id, ttl_s, expires_s, .. } = notification;
    let mut apns = json!({
        "headers": { "apns-collapse-id": collapse_id, "apns-expiration": expires_s.to_string() },
    });
    if notification.image.is_some() {
        apns["payload"] = json!({ "aps": { "mutable-content": 1 } });
        apns["fcm_options"] = json!({ "image": notification.image });
    }
    json!({ "message": {
        "token": token,
        "notification": shown,
        "data": data,
        "android": {
            "collapse_key": collapse_id,
            "ttl": format!("{ttl_s}s"),
            // The key replaces what has not arrived, the tag what is shown already.
            "notification": { "tag": collapse_id },
        },
        "apns": apns,
    } })
}

/// Finds the provider's own word for what is wrong, or the general one.
fn error_code(answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let mut details = body["error"]["details"].as_array().into_iter().flatten();
    let own = details.find_map(|detail| detail["errorCode"].as_str());
    let code = own.or(body["error"]["status"].as_str()).unwrap_or_default();
    code.chars().filter(|c| c.is_ascii_uppercase() || *c == '_').take(64).collect()
}

fn outcome(answer: &Answer, code: &str) -> Outcome {
    let words = answer.words(code);
    match (answer.status, code) {
        (status, _) if status.is_success() => {
            let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            Outcome::Accepted { provider_id: body["name"].as_str().unwrap_or_default().to_owned() }
        }
        (StatusCode::NOT_FOUND, "UNREGISTERED") => Outcome::TargetGone,
        (StatusCode::FORBIDDEN, "SENDER_ID_MISMATCH") => Outcome::Rejected(words),
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => noted(NAME, &words, Outcome::AuthFailed),
        (StatusCode::PAYLOAD_TOO_LARGE, _) => Outcome::TooLarge,
        (StatusCode::TOO_MANY_REQUESTS, _) => {
            noted(NAME, &words, Outcome::RateLimited { after_s: answer.retry_after_s(RATE_LIMIT_S) })
        }
        (status, _) if status.is_server_error() => {
            noted(NAME, &words, Outcome::Deferred { after_s: answer.retry_after_s(RETRY_S) })
        }
        _ => Outcome::Rejected(words),
    }
}
