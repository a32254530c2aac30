//! Reading requests so that every fault names its field.

use crate::api::BODY_MAX;
use crate::problem::{Kind, Problem};
use actix_web::http::header;
use actix_web::web::{self, Bytes, PathConfig, QueryConfig};
use actix_web::{HttpRequest, error};
use serde::de::{DeserializeOwned, IgnoredAny};

/// Reads a body of at most 1 MiB.
pub(super) async fn body(payload: web::Payload) -> Result<Bytes, Problem> {
    match payload.to_bytes_limited(BODY_MAX).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) => Err(Problem::new(Kind::BadJson, format!("the body broke off: {error}"))),
        Err(_) => Err(Problem::new(Kind::BodyTooLarge, format!("a body has at most {BODY_MAX} bytes"))),
    }
}

/// Reads JSON; a fault names its field as a JSON pointer.
pub(super) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // A list would be taken for the members in their order.
    let is_object = body.trim_ascii_start().first().is_none_or(|first| *first == b'{');
    if !is_object && serde_json::from_slice::<IgnoredAny>(body).is_ok() {
        return Err(Problem::field(Kind::InvalidField, "", "the body is a JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let at = pointer(error.path());
        let detail = error.into_inner().to_string();
        // Some wrong types are told as wrong syntax; whether it is JSON is asked apart.
        match serde_json::from_slice::<IgnoredAny>(body) {
            Ok(_) => Problem::field(Kind::InvalidField, at + &missing(&detail), detail),
            Err(error) => Problem::field(Kind::BadJson, "", error.to_string()),
        }
    })?;
    reader.end().map_err(|error| Problem::field(Kind::BadJson, "", error.to_string()))?;
    Ok(value)
}

/// The rest of the pointer to a field that is not there: the path to a fault ends where it would be.
fn missing(detail: &str) -> String {
    let name = detail.strip_prefix("missing field `").and_then(|rest| rest.split_once('`'));
    name.map(|(name, _)| format!("/{name}")).unwrap_or_default()
}

/// How many rows a list may have.
///
/// # Errors
///
/// `invalid-query` unless it is 1 to `most`.
pub(super) fn limit(asked: Option<u64>, default: u64, most: u64) -> Result<u64, Problem> {
    let limit = asked.unwrap_or(default);
    if (1..=most).contains(&limit) {
        Ok(limit)
    } else {
        Err(Problem::new(Kind::InvalidQuery, format!("`limit` is 1 to {most}, not {limit}")))
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |pointer, segment| match segment {
        Segment::Seq { index } => format!("{pointer}/{index}"),
        Segment::Map { key } => format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { variant } => format!("{pointer}/{variant}"),
        Segment::Unknown => pointer,
    })
}

/// Where a list goes on.
///
/// - `least`: the least that a `next_cursor` can be.
///
/// # Errors
///
/// `invalid-query` if it is less.
pub(super) fn cursor(asked: Option<i64>, least: i64) -> Result<Option<i64>, Problem> {
    match asked {
        Some(cursor) if cursor < least => {
            let detail = format!("`cursor` is what `next_cursor` said, not {cursor}");
            Err(Problem::new(Kind::InvalidQuery, detail))
        }
        cursor => Ok(cursor),
    }
}

/// The strong `ETag` of what has been changed so often, as [`if_match`] reads it.
pub(crate) fn etag(revision: i64) -> String {
    format!("\"{revision}\"")
}

/// What the client saw when it asks for a change: a revision, or `*` for whatever is there.
pub(super) fn if_match(request: &HttpRequest) -> Result<Option<i64>, Problem> {
    let Some(value) = request.headers().get(header::IF_MATCH) else {
        let detail = "send `If-Match` with the ETag that a GET gives, or `*`";
        return Err(Problem::new(Kind::IfMatchMissing, detail));
    };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    // Anything that is no ETag of ours matches nothing.
    Ok(Some(text.trim_matches('"').parse().unwrap_or(i64::MIN)))
}

/// Query faults as problems.
pub(super) fn query_config() -> QueryConfig {
    QueryConfig::default().error_handler(|error, _| {
        error::InternalError::from_response("", respond(Kind::InvalidQuery, &error.to_string())).into()
    })
}

/// Path faults as problems.
pub(super) fn path_config() -> PathConfig {
    PathConfig::default().error_handler(|error, _| {
        error::InternalError::from_response("", respond(Kind::NotFound, &error.to_string())).into()
    })
}

fn respond(kind: Kind, detail: &str) -> actix_web::HttpResponse {
    actix_web::ResponseError::error_response(&Problem::new(kind, detail))
}
