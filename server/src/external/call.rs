//! One call to a source.

use serde_json::{Map, Value};
use std::io;
use std::time::Duration;
use ureq::Agent;

/// The longest that a call may take; a decision waits for it less.
pub(super) const CALL_MAX: Duration = Duration::from_secs(2);
/// The longest answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// The most of an error that is kept, in characters.
const ERROR_LEN_MAX: usize = 300;

/// Why a source said nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CallError {
    /// The address leads where nothing may be sent.
    #[error("{0}")]
    Refused(String),
    /// It answers, but has nothing to say of this unit.
    #[error("it answered {0}")]
    Declined(u16),
    /// It does not answer, or nothing that could be used.
    #[error("{0}")]
    Failed(String),
}

/// Asks a source; says what it said, an object, and how many bytes that had. A source that does not find the unit says an
/// empty one: systems know customers, and most visitors are none. It blocks.
///
/// # Errors
///
/// [`CallError`].
pub(super) fn ask(
    agent: &Agent,
    address: &str,
    headers: &[(String, String)],
) -> Result<(Value, usize), CallError> {
    let failed = |text: &str| CallError::Failed(text.chars().take(ERROR_LEN_MAX).collect());
    let request = agent.get(address).header("accept", "application/json");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    let mut response = request.call().map_err(|error| match error {
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            CallError::Refused(error.to_string())
        }
        error => failed(&error.to_string()),
    })?;
    match response.status().as_u16() {
        200 => {}
        404 | 410 => return Ok((Map::new().into(), 0)),
        status @ (300..400) => {
            return Err(failed(&format!("it answered {status}; redirects are not followed")));
        }
        status @ (408 | 429) => return Err(failed(&format!("it answered {status}"))),
        status @ (400..500) => return Err(CallError::Declined(status)),
        status => return Err(failed(&format!("it answered {status}"))),
    }
    let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
    let body = body.map_err(|error| match error {
        ureq::Error::BodyExceedsLimit(most) => failed(&format!("its answer has more than {most} bytes")),
        error => failed(&error.to_string()),
    })?;
    let said: Map<String, Value> =
        serde_json::from_slice(&body).map_err(|_| failed("its answer is no JSON object"))?;
    Ok((said.into(), body.len()))
}
