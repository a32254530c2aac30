//! A channel that posts messages to an endpoint of the shop, signed as [Standard Webhooks] says.
//!
//! The body is `{"type": "podium.message", "data": {"decision_id", "to", "content"}}`. The endpoint answers 2xx
//! when it has taken the message, and ignores a `webhook-id` that it has taken before: the same message comes
//! again, with the same id, when the answer to the first one was lost.
//!
//! [Standard Webhooks]: https://www.standardwebhooks.com

mod signature;

use podium_plugin::prelude::*;
use serde::Serialize;
use serde_json::value::RawValue;
use signature::Signer;
use std::io;
use std::time::Duration;
use ureq::Agent;
use ureq::http::{Response, StatusCode, Uri};

export_plugin! { id: "com.example.webhook", channels: [Webhook] }

/// How long to wait for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// When to try again if the endpoint does not say.
const RETRY_S: u32 = 30;
const RATE_LIMIT_S: u32 = 60;
/// The longest wait that an endpoint may ask for.
const RETRY_S_MAX: u32 = 86_400;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Where messages are posted: an `https://` or `http://` address.
    endpoint: String,
    /// What messages are signed with: `whsec_` and 24 to 64 bytes in Base64.
    signing_secret: Secret,
    /// The secret before this one, until the endpoint knows the new one: messages then have both signatures.
    #[serde(default)]
    previous_secret: Option<Secret>,
}

struct Webhook {
    endpoint: Uri,
    signers: Vec<Signer>,
    http: Agent,
}

impl Channel for Webhook {
    type Config = Settings;
    const INFO: ChannelInfo = ChannelInfo::new("webhook", "Signed webhook", Class::Keyed { ttl_h: 20 })
        .description("Posts messages to an endpoint of yours, signed by Standard Webhooks.")
        .parallel(8);

    fn create(settings: Settings, _host: &Host) -> Result<Self> {
        let endpoint: Uri = settings
            .endpoint
            .parse()
            .map_err(|wrong| Error::config(format!("`endpoint`: {:?}: {wrong}", settings.endpoint)))?;
        if !matches!(endpoint.scheme_str(), Some("http" | "https")) || endpoint.host().is_none() {
            let text = format!("`endpoint`: {:?} must begin with https:// or http://", settings.endpoint);
            return Err(Error::config(text));
        }
        let mut signers = vec![Signer::new(&settings.signing_secret, "signing_secret")?];
        if let Some(secret) = &settings.previous_secret {
            signers.push(Signer::new(secret, "previous_secret")?);
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_connect(Some(CONNECT_MAX))
            .build();
        Ok(Self { endpoint, signers, http: config.into() })
    }

    fn render(&self, content: &Content<'_>) -> Result<Payload> {
        Ok(Payload::json(content.json()?))
    }

    fn deliver(&self, message: &Message<'_>, call: &Call<'_>) -> Outcome {
        let body = match body(message) {
            Ok(body) => body,
            Err(error) => return Outcome::Rejected(error.to_string()),
        };
        let id = message.idempotency_key();
        let timestamp = (call.now_ms() / 1_000).to_string();
        let signatures: Vec<String> =
            self.signers.iter().map(|signer| signer.sign(id, &timestamp, &body)).collect();
        let request = self
            .http
            .post(self.endpoint.clone())
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", &timestamp)
            .header("webhook-signature", signatures.join(" "))
            .config()
            .timeout_global(Some(call.remaining()))
            .build();
        match request.send(&body) {
            Ok(response) => answered(&response),
            Err(error) => not_answered(&error),
        }
    }
}

/// What every receiver of webhooks expects.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    decision_id: &'a str,
    to: Box<RawValue>,
    content: &'a RawValue,
}

/// Wraps address and payload as they are.
fn body(message: &Message<'_>) -> Result<String> {
    let content = serde_json::from_str(message.payload())
        .map_err(|wrong| Error::content(format!("the payload: {wrong}")))?;
    let data = Data { decision_id: message.decision_id(), to: message.address()?, content };
    let body = Body { kind: "podium.message", data };
    serde_json::to_string(&body).map_err(|wrong| Error::internal(wrong.to_string()))
}

fn answered<B>(response: &Response<B>) -> Outcome {
    let after_s = |otherwise: u32| {
        let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        header.and_then(|text| text.trim().parse().ok()).unwrap_or(otherwise).min(RETRY_S_MAX)
    };
    match response.status() {
        status if status.is_success() => Outcome::Accepted { provider_id: String::new() },
        StatusCode::GONE => Outcome::TargetGone,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Outcome::AuthFailed,
        StatusCode::PAYLOAD_TOO_LARGE => Outcome::TooLarge,
        StatusCode::TOO_MANY_REQUESTS => Outcome::RateLimited { after_s: after_s(RATE_LIMIT_S) },
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => {
            Outcome::Deferred { after_s: after_s(RETRY_S) }
        }
        status if status.is_server_error() => Outcome::Deferred { after_s: after_s(RETRY_S) },
        status if status.is_redirection() => {
            Outcome::Rejected(format!("HTTP {}: redirects are not followed", status.as_u16()))
        }
        status => Outcome::Rejected(format!("HTTP {}", status.as_u16())),
    }
}

/// Says what is known when there was no answer: nothing, unless the request cannot have left.
fn not_answered(error: &ureq::Error) -> Outcome {
    let never_left = match error {
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => true,
        ureq::Error::Timeout(timeout) => matches!(timeout, ureq::Timeout::Resolve | ureq::Timeout::Connect),
        ureq::Error::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        ureq::Error::Http(_) => return Outcome::Rejected(error.to_string()),
        _ => false,
    };
    if never_left { Outcome::Deferred { after_s: RETRY_S } } else { Outcome::Unknown(error.to_string()) }
}
