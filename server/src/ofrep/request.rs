//! Reading requests by hand, because each way to be wrong has its own word.

use super::refusal::{Code, Refusal};
use crate::api::{BODY_MAX, cross_origin};
use crate::app::App;
use crate::auth::{self, Refused, Scope};
use crate::clock;
use crate::problem::retry_after_s;
use actix_web::HttpRequest;
use actix_web::web::{self, Bytes, Query};
use podium_core::id::UNIT_LENGTH_MAX;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The attribute that names the unit.
pub(super) const TARGETING_KEY: &str = "targetingKey";

/// Lets in whoever has a key, as often as they may come.
pub(super) fn admit<'r>(app: &App, http: &'r HttpRequest) -> Result<(Cow<'r, str>, Scope), Refusal> {
    let key = auth::presented(http).ok_or_else(Refusal::unauthorized)?;
    let scope = cross_origin::scope(app, http, &key).map_err(|refused| match refused {
        Refused::Unknown => Refusal::unauthorized(),
        Refused::Origin => Refusal::forbidden(),
    })?;
    pass(app, http, &key, scope)?;
    Ok((key, scope))
}

/// Lets an evaluation pass, or says when the next one may come.
pub(super) fn pass(app: &App, http: &HttpRequest, key: &str, scope: Scope) -> Result<(), Refusal> {
    const SECOND_US: i64 = 1_000_000;
    let client = app.limits.client(http);
    let admitted =
        app.limits.evaluations.admit(auth::id(key).unwrap_or_default(), scope, client, clock::now());
    admitted.map_err(|waits_us| {
        // Those who were turned away together should not come back together.
        Refusal::too_many((waits_us / SECOND_US).unsigned_abs() + u64::from(retry_after_s()))
    })
}

/// Reads a body of at most 1 MiB.
pub(super) async fn body(payload: web::Payload) -> Result<Bytes, Refusal> {
    match payload.to_bytes_limited(BODY_MAX).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) => Err(Refusal::bad(Code::ParseError, format!("the body broke off: {error}"))),
        Err(_) => Err(Refusal::too_large(format!("a body has at most {BODY_MAX} bytes"))),
    }
}

/// Reads the context of a body.
pub(super) fn context(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let asked: Value = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad(Code::ParseError, format!("the body is not JSON: {error}")))?;
    let context = match asked {
        Value::Object(mut members) => members.remove("context"),
        _ => None,
    };
    match context {
        Some(Value::Object(context)) => Ok(context),
        _ => Err(Refusal::bad(Code::InvalidContext, "`context` is an object, and the body has it")),
    }
}

/// The unit that a context names.
pub(super) fn unit(context: &Value) -> Result<&str, Refusal> {
    let unit = context.get(TARGETING_KEY).and_then(Value::as_str).filter(|unit| !unit.is_empty());
    let unit = unit.ok_or_else(|| {
        Refusal::bad(Code::TargetingKeyMissing, "`targetingKey` says for whom, in a text that is not empty")
    })?;
    if UNIT_LENGTH_MAX < unit.len() || unit.contains('\0') {
        let details = format!("`targetingKey` has at most {UNIT_LENGTH_MAX} bytes, none of them NUL");
        return Err(Refusal::bad(Code::InvalidContext, details));
    }
    Ok(unit)
}

/// The parameters of a query, in their order.
pub(super) fn query(http: &HttpRequest) -> Vec<(String, String)> {
    Query::from_query(http.query_string()).map(Query::into_inner).unwrap_or_default()
}

/// The parameter that `name` names; the last one if it is repeated.
pub(super) fn parameter<'q>(query: &'q [(String, String)], name: &str) -> Option<&'q str> {
    query.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

/// Whether an answer is an exposure: not if it is asked for with `exposure=false`.
pub(super) fn is_exposure(query: &[(String, String)]) -> bool {
    parameter(query, "exposure") != Some("false")
}
