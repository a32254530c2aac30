//! `/api/v1/suppressions`: who must not be contacted.

use super::page::{cut, page};
use super::{Shared, allow, request};
use crate::auth::Scope;
use crate::delivery::spelled;
use crate::problem::{Kind, Problem};
use crate::store::suppressions::{self, SuppressionScope};
use actix_web::web::{self, Query};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use podium_core::id::ChannelKey;
use serde::Deserialize;

const ADDRESS_BYTES_MAX: usize = 4_096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    channel: Option<String>,
    address: Option<String>,
    limit: Option<u64>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LiftQuery {
    channel: Option<String>,
    address: Option<String>,
}

/// What a query says of `name`.
fn named<'a>(name: &str, value: Option<&'a str>) -> Result<&'a str, Problem> {
    let wrong = || Problem::new(Kind::InvalidQuery, format!("say `{name}`, a text without NUL"));
    value.filter(|text| !text.contains('\0')).ok_or_else(wrong)
}

/// Lists who must not be contacted on a channel, in the order of their addresses: 200; 400 `invalid-query`.
pub(crate) async fn list(
    app: Shared,
    http: HttpRequest,
    query: Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let limit = request::limit(query.limit, 50, 500)?;
    let channel = named("channel", query.channel.as_deref())?;
    let after = query.cursor.as_deref().map(|cursor| {
        let wrong = || Problem::new(Kind::InvalidQuery, "`cursor` is a `next_cursor` of an answer");
        read_cursor(cursor).ok_or_else(wrong)
    });
    let after = after.transpose()?;
    let db = app.store.reader();
    let mut found = match query.address.as_deref() {
        Some(address) => {
            let address = spelled(named("address", Some(address))?);
            suppressions::find(db, channel, &address).await?.into_iter().collect()
        }
        None => suppressions::list(db, channel, after.as_deref(), limit + 1).await?,
    };
    let next_cursor = cut(&mut found, limit, |last| URL_SAFE_NO_PAD.encode(&last.address));
    Ok(page(&http, &found, next_cursor.as_ref()))
}

fn read_cursor(text: &str) -> Option<String> {
    let address = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    Some(address).filter(|address| !address.contains('\0'))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSuppression {
    channel: ChannelKey,
    address: String,
    #[serde(default = "marketing")]
    scope: SuppressionScope,
    #[serde(default)]
    reason: String,
}

fn marketing() -> SuppressionScope {
    SuppressionScope::Marketing
}

impl NewSuppression {
    /// Whether it can be one.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        for (pointer, text) in [("/address", &self.address), ("/reason", &self.reason)] {
            if ADDRESS_BYTES_MAX < text.len() || text.contains('\0') {
                let detail = format!("at most {ADDRESS_BYTES_MAX} bytes, without NUL");
                return Err(Problem::field(Kind::InvalidField, pointer, detail));
            }
        }
        if spelled(&self.address).is_empty() {
            return Err(Problem::field(Kind::InvalidField, "/address", "an address is not empty"));
        }
        Ok(())
    }
}

/// Suppresses an address: 201 with what holds now, as a narrower scope than there is changes nothing.
pub(crate) async fn add(
    app: Shared,
    http: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Server)?;
    let new: NewSuppression = request::json(&request::body(payload).await?)?;
    new.check()?;
    let asked = app.suppress(new.channel.as_str(), &new.address, new.scope, new.reason).await?;
    let found = suppressions::find(app.store.writer(), &asked.channel, &asked.address).await?;
    Ok(HttpResponse::Created().json(found.unwrap_or(asked)))
}

/// Lifts a suppression, named by `channel` and `address` in the query: 204; 400 `invalid-query`; 404.
pub(crate) async fn lift(
    app: Shared,
    http: HttpRequest,
    query: Query<LiftQuery>,
) -> Result<HttpResponse, Problem> {
    allow(&app, &http, Scope::Admin)?;
    let channel = named("channel", query.channel.as_deref())?;
    let address = spelled(named("address", query.address.as_deref())?);
    if suppressions::lift(app.store.writer(), channel, &address).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Problem::new(Kind::NotFound, format!("`{address}` is not suppressed on `{channel}`")))
    }
}
