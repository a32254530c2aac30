//! Problem documents, RFC 9457, as every error of the API is one.

use super::http::Answer;
use serde_json::Value;

/// An error that the server explained.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The end of its `type`.
    pub(crate) slug: String,
    /// The fields it names, as JSON pointers.
    pub(crate) pointers: Vec<String>,
    /// What it says, for people.
    pub(crate) detail: String,
}

impl Problem {
    /// Reads a problem and checks that nothing is missing from it.
    pub(crate) fn read(answer: &Answer) -> Result<Self, String> {
        let content_type = answer.header("content-type").unwrap_or_default();
        if !content_type.starts_with("application/problem+json") {
            return Err(format!("the content type is `{content_type}`, not application/problem+json"));
        }
        let body: Value = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
        let text = |name: &str| match body[name].as_str() {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(format!("no `{name}`")),
        };
        if body["status"] != answer.status {
            return Err(format!("`status` is {}, not {}", body["status"], answer.status));
        }
        text("title")?;
        text("instance")?;
        let slug = text("type")?.strip_prefix("/problems/").ok_or("`type` is not /problems/…")?.to_owned();
        let mut pointers = Vec::new();
        for fault in body["errors"].as_array().into_iter().flatten() {
            let pointer = fault["pointer"].as_str().ok_or("a fault without `pointer`")?;
            if fault["detail"].as_str().is_none_or(str::is_empty) {
                return Err(format!("the fault at `{pointer}` has no `detail`"));
            }
            pointers.push(pointer.to_owned());
        }
        Ok(Self { slug, pointers, detail: text("detail")? })
    }
}
