//! Makes a value safe for the place that it is put in.

use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// How the values that replace placeholders are escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Escaping {
    /// As text of an HTML document or a quoted attribute.
    Html,
    /// As a piece of a URL: everything but letters, digits, `-`, `.`, `_`, `~` is percent-encoded.
    Url,
    /// As a piece of a string in a JSON document, which may itself stand in a `<script>`.
    Json,
    /// Not at all; line breaks and zero bytes are refused.
    Header,
    /// Not at all.
    Plain,
}

impl Escaping {
    /// Appends `value` to `text`, escaped; `false` if this value may not stand there, and nothing is appended.
    #[must_use]
    pub fn append(self, text: &mut String, value: &str) -> bool {
        match self {
            Self::Html => value.chars().for_each(|c| push_html(text, c)),
            Self::Url => value.bytes().for_each(|byte| push_url(text, byte)),
            Self::Json => value.chars().for_each(|c| push_json(text, c)),
            Self::Header if !is_one_line(value) => return false,
            Self::Header | Self::Plain => text.push_str(value),
        }
        true
    }
}

/// Whether a text can be the value of a header: no carriage return, line feed or zero byte.
pub(crate) fn is_one_line(text: &str) -> bool {
    !text.contains(['\r', '\n', '\0'])
}

fn push_html(text: &mut String, c: char) {
    match c {
        '&' => text.push_str("&amp;"),
        '<' => text.push_str("&lt;"),
        '>' => text.push_str("&gt;"),
        '"' => text.push_str("&quot;"),
        '\'' => text.push_str("&#39;"),
        _ => text.push(c),
    }
}

fn push_url(text: &mut String, byte: u8) {
    if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
        text.push(char::from(byte));
    } else {
        // Writing to a string cannot fail.
        let _ = write!(text, "%{byte:02X}");
    }
}

fn push_json(text: &mut String, c: char) {
    match c {
        '"' => text.push_str("\\\""),
        '\\' => text.push_str("\\\\"),
        // `<`, `>` and `&` would end a script that the document stands in; the two separators, a line of it.
        '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' | '\u{7f}' => {
            let _ = write!(text, "\\u{:04x}", c as u32);
        }
        _ => text.push(c),
    }
}
