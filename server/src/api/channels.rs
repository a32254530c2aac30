//! `/api/v1/channels`: the channels that are set up, those that plugins offer, and providers' webhooks.

use super::{Shared, allow, request};
use crate::auth::Scope;
use crate::delivery::{ChannelEditError, Configured, Webhook, promise};
use crate::problem::{Kind, Problem};
use actix_web::http::header;
use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse};
use podium_core::experiment::Fault;
use podium_core::id::ChannelKey;
use podium_core::time::Timestamp;
use podium_plugin_host::{ChannelInfo, ProviderClass};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewChannel {
    channel: String,
    #[serde(default)]
    settings: Map<String, Value>,
}

#[derive(Serialize)]
struct ChannelBody<'a> {
    key: &'a str,
    /// Which of those that plugins offer.
    channel: &'a str,
    /// As they were sent: secrets are names.
    settings: &'a Map<String, Value>,
    /// `running`, `paused`, or `down` if its plugin is not there or will not have the settings any more.
    state: &'static str,
    why: Option<String>,
    /// What is promised of each message.
    promise: Option<&'static str>,
    revision: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl<'a> From<&'a Configured> for ChannelBody<'a> {
    fn from(channel: &'a Configured) -> Self {
        let stored = &channel.stored;
        let why = channel.trouble();
        let state = match &why {
            None => "running",
            Some(_) if channel.is_paused() => "paused",
            Some(_) => "down",
        };
        Self {
            key: stored.key.as_str(),
            channel: &stored.channel,
            settings: &stored.settings,
            state,
            why,
            promise: channel.info.as_ref().map(|info| promise(info.class)),
            revision: stored.revision,
            created_at: stored.created_at,
            updated_at: stored.updated_at,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct Offered<'a> {
    channel: &'a str,
    title: &'a str,
    description: &'a str,
    plugin: &'a str,
    plugin_version: &'a str,
    /// `keyed`, `coalescing`, `blind` or `pull`.
    class: &'static str,
    promise: &'static str,
    takes_webhooks: bool,
    settings_schema: Value,
}

impl<'a> From<&'a ChannelInfo> for Offered<'a> {
    fn from(info: &'a ChannelInfo) -> Self {
        let class = match info.class {
            ProviderClass::Keyed { .. } => "keyed",
            ProviderClass::Coalescing => "coalescing",
            ProviderClass::Blind => "blind",
            ProviderClass::Pull => "pull",
        };
        Self {
            channel: &info.id,
            title: &info.title,
            description: &info.description,
            plugin: &info.plugin_id,
            plugin_version: &info.plugin_version,
            class,
            promise: promise(info.class),
            takes_webhooks: info.takes_webhooks,
            settings_schema: serde_json::from_str(&info.config_schema).unwrap_or_default(),
        }
    }
}

fn body(channel: &Configured, mut response: actix_web::HttpResponseBuilder) -> HttpResponse {
    response.insert_header((header::ETAG, request::etag(channel.stored.revision)));
    response.json(ChannelBody::from(channel))
}

fn find(app: &Shared, key: &str) -> Result<Arc<Configured>, Problem> {
    let missing = || Problem::new(Kind::NotFound, format!("no channel `{key}` is set up"));
    app.channels.find(key).ok_or_else(missing)
}

/// Lists the channels that are set up, and those that plugins offer: 200.
pub(crate) async fn list(app: Shared, http: HttpRequest) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let all = app.channels.all();
    let data: Vec<_> = all.values().map(|channel| ChannelBody::from(&**channel)).collect();
    let offered: Vec<_> = app.channels.registry().channels().iter().map(Offered::from).collect();
    Ok(HttpResponse::Ok().json(serde_json::json!({ "data": data, "offered": offered })))
}

/// One channel: 200 with its `ETag`; 404.
pub(crate) async fn read(app: Shared, http: HttpRequest, key: Path<String>) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    Ok(body(&*find(&app, &key)?, HttpResponse::Ok()))
}

/// Sets up a channel: 201; or changes one: 200, with `If-Match`. 400 `invalid-field`; 412; 422 `unknown-channel`, `channel-settings`; 428.
pub(crate) async fn put(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Admin)?;
    let key = ChannelKey::new(&key).map_err(|error| Problem::new(Kind::NotFound, error.to_string()))?;
    let new: NewChannel = request::json(&request::body(payload).await?)?;
    let is_there = app.channels.find(key.as_str()).is_some();
    // Whoever has seen a state of a channel that is gone learns so.
    let has_seen = is_there || http.headers().contains_key(header::IF_MATCH);
    let seen = if has_seen { request::if_match(&http)? } else { Some(0) };
    let channel = app.channels.put(key, (new.channel, new.settings), seen).await?;
    app.republish().await?;
    app.wake_sender();
    Ok(body(&channel, if is_there { HttpResponse::Ok() } else { HttpResponse::Created() }))
}

/// Removes a channel; what waits for it is not sent: 204, with `If-Match`. 404; 412; 428.
pub(crate) async fn remove(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Admin)?;
    find(&app, &key)?;
    let seen = request::if_match(&http)?;
    app.channels.remove(&key, seen).await?;
    app.republish().await?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Serialize)]
struct Health {
    healthy: bool,
    detail: Option<String>,
}

/// Tries whether messages could be delivered, and delivers none: 200, whatever the answer; 404.
pub(crate) async fn health(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let detail = find(&app, &key)?.health().await.err();
    Ok(HttpResponse::Ok().json(Health { healthy: detail.is_none(), detail }))
}

/// Lets a paused channel go on: 204, as for one that is not paused; 404.
pub(crate) async fn resume(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Admin)?;
    let channel = find(&app, &key)?;
    app.channels.resume(&channel).await?;
    app.wake_sender();
    Ok(HttpResponse::NoContent().finish())
}

/// Takes a provider's webhook, which its plugin checks: 204; 400 `webhook-refused`; 404; 503.
pub(crate) async fn webhook(
    app: Shared,
    http: HttpRequest,
    key: Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let body = request::body(payload).await?;
    let text = |value: &header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = http.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value)));
    let webhook = Webhook {
        method: http.method().as_str().to_owned(),
        path: http.path().to_owned(),
        query: http.query_string().to_owned(),
        headers: headers.collect(),
        body: body.as_ref().into(),
    };
    app.take_webhook(&key, webhook).await?;
    Ok(HttpResponse::NoContent().finish())
}

impl From<ChannelEditError> for Problem {
    fn from(error: ChannelEditError) -> Self {
        let detail = error.to_string();
        match error {
            ChannelEditError::UnknownChannel { .. } => Self::field(Kind::UnknownChannel, "/channel", detail),
            ChannelEditError::Settings(_) => {
                let (pointer, detail) = ("/settings".to_owned(), detail);
                Self::faults(Kind::ChannelSettings, vec![Fault { pointer, detail }])
            }
            ChannelEditError::Away(_) => Self::new(Kind::Unavailable, detail),
            ChannelEditError::Changed(0) => {
                Self::new(Kind::EditConflict, "the channel was removed meanwhile")
            }
            ChannelEditError::Changed(revision) => Self::new(Kind::EditConflict, detail).with_etag(revision),
            ChannelEditError::Store(error) => error.into(),
        }
    }
}
