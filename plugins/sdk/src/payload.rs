//! What a variant's content becomes: texts that say how values are to be escaped in them.

use crate::error::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The name of the part of a payload that has only one.
const BODY: &str = "body";
const OPEN: &str = "{{";
const CLOSE: &str = "}}";
/// Makes the server escape a value as a piece of a URL.
const AS_URL: &str = "url:";

/// A variant's content, as its author saved it.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    json: &'a str,
}

impl<'a> Content<'a> {
    pub(crate) fn new(json: &'a str) -> Self {
        Self { json }
    }

    /// Reads the content as any JSON.
    ///
    /// # Errors
    ///
    /// [`Error::content`] if it is none.
    pub fn json(&self) -> Result<Value> {
        self.read()
    }

    /// Reads the content as what the channel expects. The error names the place.
    ///
    /// # Errors
    ///
    /// [`Error::content`] if it has another form.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(self.json).map_err(|wrong| Error::content(wrong.to_string()))
    }

    /// Lends the JSON text.
    pub fn as_str(&self) -> &'a str {
        self.json
    }
}

/// How the values that replace placeholders are escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Escaping {
    /// As text of an HTML document or a quoted attribute.
    Html,
    /// As a piece of a URL: everything but letters, digits, `-`, `.`, `_`, `~` is percent-encoded.
    Url,
    /// As a piece of a string in a JSON document.
    Json,
    /// Not at all; a line break or a zero byte in a value fails the message.
    Header,
    /// Not at all.
    Plain,
}

/// One text of a payload. Placeholders in it are left for the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    name: String,
    escaping: Escaping,
    text: String,
}

/// What is sent: one or more named texts, each with its escaping, and the links whose clicks count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    parts: Vec<Part>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    links: Vec<String>,
}

impl Payload {
    /// Makes a payload of parts with different names, at least one.
    pub fn new(parts: impl IntoIterator<Item = Part>) -> Self {
        Self { parts: parts.into_iter().collect(), links: Vec::new() }
    }

    /// Makes a payload that is one JSON document.
    pub fn json(document: impl Into<Value>) -> Self {
        Self::new([Part::json(BODY, document)])
    }

    /// Makes a payload that is one piece of HTML.
    pub fn html(text: impl Into<String>) -> Self {
        Self::new([Part::html(BODY, text)])
    }

    /// Makes a payload that is one text without markup.
    pub fn plain(text: impl Into<String>) -> Self {
        Self::new([Part::plain(BODY, text)])
    }

    /// Lists links whose clicks count: `https://` or `http://`, a host, and behind it placeholders as anywhere,
    /// whose values are escaped as pieces of a URL.
    ///
    /// The server makes an address of its own for each recipient and link. It stands where a part has
    /// `{{ podium.link.0 }}` for the first link, and so on.
    #[must_use]
    pub fn with_links(self, links: impl IntoIterator<Item = String>) -> Self {
        Self { links: links.into_iter().collect(), ..self }
    }

    /// Lists the parts.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Lists the links.
    pub fn links(&self) -> &[String] {
        &self.links
    }
}

impl Part {
    /// Makes a piece of HTML.
    pub fn html(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), escaping: Escaping::Html, text: text.into() }
    }

    /// Makes a URL.
    pub fn url(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), escaping: Escaping::Url, text: text.into() }
    }

    /// Makes a JSON document; placeholders may stand in its strings.
    pub fn json(name: impl Into<String>, document: impl Into<Value>) -> Self {
        Self { name: name.into(), escaping: Escaping::Json, text: document.into().to_string() }
    }

    /// Makes the value of a header, one line.
    pub fn header(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), escaping: Escaping::Header, text: text.into() }
    }

    /// Makes a text without markup.
    pub fn plain(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), escaping: Escaping::Plain, text: text.into() }
    }

    /// Tells the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells how values are escaped.
    pub fn escaping(&self) -> Escaping {
        self.escaping
    }

    /// Tells the text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Makes every placeholder of a link a piece of a URL, whatever the text is that the link stands in: `{{ name }}`
/// becomes `{{url:name }}`. For links inside of HTML, for example.
pub fn values_as_url(link: &str) -> String {
    let mut rewritten = String::with_capacity(link.len() + AS_URL.len());
    let mut rest = link;
    while let Some((before, inside)) = rest.split_once(OPEN) {
        let inside = inside.trim_start();
        let inside = inside.strip_prefix(AS_URL).unwrap_or(inside).trim_start();
        let len = inside.find(CLOSE).map_or(inside.len(), |at| at + CLOSE.len());
        let (inside, behind) = inside.split_at(len);
        rewritten.extend([before, OPEN, AS_URL, inside]);
        rest = behind;
    }
    rewritten + rest
}

#[cfg(test)]
mod tests {
    use super::values_as_url;

    #[test]
    fn placeholders_of_links_become_pieces_of_urls() {
        for (link, expected) in [
            ("/{{ a }}/{{b|c}}?{{ url:d }}", "/{{url:a }}/{{url:b|c}}?{{url:d }}"),
            ("mailto:a?b={{ x }}&c={{ url:y|z }}", "mailto:a?b={{url:x }}&c={{url:y|z }}"),
            ("/{{ a", "/{{url:a"),
            ("é}}", "é}}"),
        ] {
            assert_eq!(values_as_url(link), expected);
        }
    }
}
