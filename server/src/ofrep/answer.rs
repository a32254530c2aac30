//! What clients get: every answer with its variant and value, and nothing in metadata but texts, numbers and booleans.

use super::refusal::{Code, Refusal};
use crate::app::Evaluation;
use crate::auth::hex;
use actix_web::HttpRequest;
use actix_web::http::header;
use podium_core::experiment::Stickiness;
use podium_core::snapshot::{Flag, Reason};
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// How many bytes of the digest an `ETag` has.
const ETAG_LEN: usize = 16;
/// How long a hidden page keeps its stream, in seconds.
const INACTIVITY_DELAY_S: u32 = 120;

/// The answer for one flag.
#[derive(Debug, Serialize)]
pub(super) struct Answer<'a> {
    key: &'a str,
    value: &'a RawValue,
    reason: Reason,
    variant: &'a str,
    metadata: Metadata<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    /// Only if the unit is assigned: the sign that there is an exposure to tell of.
    #[serde(skip_serializing_if = "Option::is_none")]
    experiment_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    propensity: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sticky: Option<&'a str>,
    /// What traces call the unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    context_id: Option<&'a str>,
    /// Only if a link wanted it: it is no exposure, and counts nowhere.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    forced: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    degraded: Option<bool>,
}

/// The answer for every flag.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BulkAnswer<'a> {
    flags: Vec<Entry<'a>>,
    metadata: BulkMetadata,
    event_streams: [EventStream; 1],
}

/// Nothing is to be said of all flags together yet; clients expect an object.
#[derive(Debug, Serialize)]
struct BulkMetadata {}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Entry<'a> {
    Answer(Answer<'a>),
    #[serde(rename_all = "camelCase")]
    Failed {
        key: &'a str,
        error_code: &'static str,
        error_details: &'static str,
    },
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EventStream {
    r#type: &'static str,
    endpoint: Endpoint,
    inactivity_delay_sec: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint {
    request_uri: String,
}

/// What went wrong if a flag has no variant to give.
const NO_VARIANT: &str = "the flag has no such variant";

impl<'a> Answer<'a> {
    /// The answer when one flag is asked for.
    ///
    /// - `context_id`: what traces call the unit.
    pub(super) fn single(
        evaluation: &'a Evaluation<'a>,
        context_id: Option<&'a str>,
    ) -> Result<Self, Refusal> {
        let answer = Self::of(evaluation, true, context_id).ok_or_else(|| Refusal::internal(NO_VARIANT))?;
        let decision_id = (!evaluation.answer.is_forced).then_some(evaluation.answer.id);
        let degraded = Some(evaluation.is_degraded);
        Ok(Self { metadata: Metadata { decision_id, degraded, ..answer.metadata }, ..answer })
    }

    /// - `says_weights`: whether it says under which weights the unit was assigned.
    fn of(evaluation: &'a Evaluation<'a>, says_weights: bool, context_id: Option<&'a str>) -> Option<Self> {
        let answer = &evaluation.answer;
        let assigned = answer.assignment();
        let weighed = assigned.filter(|_| says_weights).map(|(_, assignment)| assignment);
        Some(Self {
            key: answer.flag_key,
            value: answer.value()?,
            reason: answer.reason(),
            variant: answer.variant()?,
            metadata: Metadata {
                experiment_id: assigned.map(|(flag, _)| &*flag.experiment_key),
                version: weighed.map(|assignment| assignment.version),
                propensity: weighed.map(|assignment| assignment.propensity),
                sticky: evaluation.sticky.as_deref(),
                context_id,
                forced: answer.is_forced,
                decision_id: None,
                degraded: None,
            },
        })
    }
}

impl<'a> BulkAnswer<'a> {
    /// The answer when every flag is asked for. It has nothing that varies from one request to the next; of a unit that
    /// follows the weights not even these, so that what it keeps does not look new.
    pub(super) fn new(
        evaluations: &'a [Evaluation<'a>],
        context_id: Option<&'a str>,
        stream: String,
    ) -> Self {
        let entry = |evaluation: &'a Evaluation<'a>| {
            let follows = |(flag, _): (&Flag, _)| flag.stickiness == Stickiness::Rebalance;
            let says_weights = !evaluation.answer.assignment().is_some_and(follows);
            let failed = || Entry::Failed {
                key: evaluation.answer.flag_key,
                error_code: Code::General.as_str(),
                error_details: NO_VARIANT,
            };
            Answer::of(evaluation, says_weights, context_id).map_or_else(failed, Entry::Answer)
        };
        let endpoint = Endpoint { request_uri: stream };
        let stream = EventStream { r#type: "sse", endpoint, inactivity_delay_sec: INACTIVITY_DELAY_S };
        Self {
            flags: evaluations.iter().map(entry).collect(),
            metadata: BulkMetadata {},
            event_streams: [stream],
        }
    }
}

/// The strong `ETag` of a body: equal answers have equal ones, on every node.
pub(super) fn etag(body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    format!("\"{}\"", hex(digest.get(..ETAG_LEN).unwrap_or_default()))
}

/// Whether the client has what `etag` names.
pub(super) fn has_already(http: &HttpRequest, etag: &str) -> bool {
    let lines = http.headers().get_all(header::IF_NONE_MATCH).filter_map(|line| line.to_str().ok());
    let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}
