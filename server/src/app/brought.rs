//! Tokens that a client brings back in its context.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// Reads the tokens of an attribute: one, several with spaces between them, or a list. What is none is left out.
///
/// - `n_max`: the most that are looked at.
pub(super) fn tokens(context: &Map<String, Value>, attribute: &str, n_max: usize) -> Vec<Vec<u8>> {
    let texts = match context.get(attribute) {
        Some(Value::String(text)) => vec![text.as_str()],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let tokens = texts.into_iter().flat_map(str::split_whitespace).take(n_max);
    tokens.filter_map(|token| URL_SAFE_NO_PAD.decode(token).ok()).collect()
}
