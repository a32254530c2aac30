//! What a channel makes of a variant's content, and how its placeholders are filled.
//!
//! A placeholder is `{{ name }}`, or `{{ name | fallback }}` for whoever has no such value, or an empty one.
//! Without a fallback, nothing stands there. `{{ url:name }}` escapes the value as a piece of a URL whatever the
//! part is: for a link inside HTML. Nothing else may begin with `{{`.

use crate::escape::{Escaping, is_one_line};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// The most parts of one payload.
const PARTS_MAX: usize = 64;
const NAME_LEN_MAX: usize = 64;
const OPEN: &str = "{{";
const CLOSE: &str = "}}";
const AS_URL: &str = "url:";

/// What a channel made of a variant's content: texts with placeholders, checked and ready to be filled.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Texts")]
pub struct Payload {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    /// As it came.
    source: Text,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Placeholder { name: String, escaping: Escaping, fallback: String },
}

/// One named text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// The name of the part, unique in its payload.
    pub name: String,
    /// How values are escaped in it.
    pub escaping: Escaping,
    /// The text itself.
    pub text: String,
}

#[derive(Serialize, Deserialize)]
struct Texts {
    parts: Vec<Text>,
}

/// A payload without placeholders, for one recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Filled {
    parts: Vec<Text>,
}

/// A text that is no payload; says in which part, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {text}")]
pub struct BadPayload {
    /// The name of the part, or `payload`.
    pub place: String,
    /// What is wrong.
    pub text: String,
}

/// A value that may not stand where its placeholder is: a header would break.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("part {part}: the value of {placeholder} has a line break or a zero byte")]
pub struct Unfillable {
    /// The name of the part.
    pub part: String,
    /// The name of the placeholder.
    pub placeholder: String,
}

impl Payload {
    /// Reads what a channel wrote: `{"parts": [{"name", "escaping", "text"}, …]}`.
    ///
    /// # Errors
    ///
    /// [`BadPayload`] names the part.
    pub fn from_json(json: &str) -> Result<Self, BadPayload> {
        let texts: Texts = serde_json::from_str(json).map_err(|error| bad("payload", error.to_string()))?;
        texts.try_into()
    }

    /// Writes it in the form that [`Payload::from_json`] reads, with its placeholders.
    pub fn to_json(&self) -> String {
        let parts = self.parts.iter().map(|part| &part.source).collect::<Vec<_>>();
        serde_json::json!({ "parts": parts }).to_string()
    }

    /// Lists the names of all placeholders, each once, in the order of their first use.
    pub fn placeholders(&self) -> Vec<&str> {
        let mut seen = HashSet::new();
        let names = self.parts.iter().flat_map(|part| &part.segments).filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Placeholder { name, .. } => Some(name.as_str()),
        });
        names.filter(|name| seen.insert(*name)).collect()
    }

    /// Replaces every placeholder by what `value` says, escaped for its place.
    ///
    /// # Errors
    ///
    /// [`Unfillable`] if a value would break a header.
    pub fn fill<'v>(&self, value: impl Fn(&str) -> Option<&'v str>) -> Result<Filled, Unfillable> {
        let parts = self.parts.iter().map(|part| part.fill(&value)).collect::<Result<_, _>>()?;
        Ok(Filled { parts })
    }
}

impl TryFrom<Texts> for Payload {
    type Error = BadPayload;

    fn try_from(texts: Texts) -> Result<Self, BadPayload> {
        if texts.parts.is_empty() || PARTS_MAX < texts.parts.len() {
            return Err(bad(
                "payload",
                format!("{} parts, but there are 1 to {PARTS_MAX}", texts.parts.len()),
            ));
        }
        let mut names = HashSet::new();
        if let Some(twice) = texts.parts.iter().find(|part| !names.insert(part.name.as_str())) {
            return Err(bad(&twice.name, "there is another part of this name"));
        }
        let parts = texts.parts.into_iter().map(Part::parse).collect::<Result<_, _>>()?;
        Ok(Self { parts })
    }
}

impl Part {
    fn parse(source: Text) -> Result<Self, BadPayload> {
        if !is_name(&source.name) {
            return Err(bad("payload", format!("{:?} is no name of a part", source.name)));
        }
        check_literal(&source)?;
        let mut segments = Vec::new();
        let mut rest = source.text.as_str();
        while let Some(start) = rest.find(OPEN) {
            let Some((inside, behind)) = rest[start + OPEN.len()..].split_once(CLOSE) else {
                return Err(bad(
                    &source.name,
                    format!("{OPEN} without {CLOSE}: {:?}", excerpt(&rest[start..])),
                ));
            };
            segments.push(Segment::Literal(rest[..start].to_owned()));
            segments.push(placeholder(inside, source.escaping).map_err(|text| bad(&source.name, text))?);
            rest = behind;
        }
        segments.push(Segment::Literal(rest.to_owned()));
        Ok(Self { source, segments })
    }

    fn fill<'v>(&self, value: &impl Fn(&str) -> Option<&'v str>) -> Result<Text, Unfillable> {
        let mut text = String::with_capacity(self.source.text.len() * 2);
        for segment in &self.segments {
            match segment {
                Segment::Literal(literal) => text.push_str(literal),
                Segment::Placeholder { name, escaping, fallback } => match value(name) {
                    // The fallback is the author's, written for this place like the text around it.
                    None | Some("") => text.push_str(fallback),
                    Some(value) if escaping.append(&mut text, value) => {}
                    Some(_) => {
                        let part = self.source.name.clone();
                        return Err(Unfillable { part, placeholder: name.clone() });
                    }
                },
            }
        }
        Ok(Text { name: self.source.name.clone(), escaping: self.source.escaping, text })
    }
}

impl Filled {
    /// Lists the parts.
    pub fn parts(&self) -> &[Text] {
        &self.parts
    }

    /// Finds the text of a part.
    pub fn part(&self, name: &str) -> Option<&str> {
        self.parts.iter().find(|part| part.name == name).map(|part| part.text.as_str())
    }

    /// Counts the bytes of all texts.
    pub fn size(&self) -> usize {
        self.parts.iter().map(|part| part.text.len()).sum()
    }

    /// Writes it in the form that channels read.
    pub fn to_json(&self) -> String {
        serde_json::json!({ "parts": self.parts }).to_string()
    }
}

/// Checks what stands around placeholders.
fn check_literal(part: &Text) -> Result<(), BadPayload> {
    match part.escaping {
        Escaping::Header if !is_one_line(&part.text) => {
            Err(bad(&part.name, "a header is one line, without a zero byte"))
        }
        Escaping::Url if part.text.contains(|c: char| c.is_control()) => {
            Err(bad(&part.name, "a URL has no control characters"))
        }
        Escaping::Json => {
            let document: serde_json::Value =
                serde_json::from_str(&part.text).map_err(|error| bad(&part.name, error.to_string()))?;
            if has_open_key(&document) {
                return Err(bad(&part.name, "a placeholder in the name of a member"));
            }
            Ok(())
        }
        Escaping::Html | Escaping::Url | Escaping::Header | Escaping::Plain => Ok(()),
    }
}

/// Whether the name of a member has a placeholder: two values could make two members of one name.
fn has_open_key(document: &serde_json::Value) -> bool {
    match document {
        serde_json::Value::Object(members) => {
            members.iter().any(|(name, member)| name.contains(OPEN) || has_open_key(member))
        }
        serde_json::Value::Array(items) => items.iter().any(has_open_key),
        _ => false,
    }
}

fn placeholder(inside: &str, part: Escaping) -> Result<Segment, String> {
    let (name, fallback) = inside.split_once('|').unwrap_or((inside, ""));
    let (name, fallback) = (name.trim(), fallback.trim());
    let (name, escaping) = name.strip_prefix(AS_URL).map_or((name, part), |name| (name, Escaping::Url));
    if !is_name(name) {
        return Err(format!(
            "{:?} is no placeholder: {OPEN} name {CLOSE} or {OPEN} name | fallback {CLOSE}",
            excerpt(inside)
        ));
    }
    if fallback.contains(OPEN) {
        return Err(format!("the fallback of {name} has a placeholder in it"));
    }
    // It may stand in an attribute, and must not end it, nor open or close an element around the value.
    if part == Escaping::Html && fallback.contains(['<', '>', '"']) {
        return Err(format!("the fallback of {name} has markup in it: no <, > or \" may stand there"));
    }
    // It must not end the string that it stands in: the placeholder would reach into the document around it.
    if part == Escaping::Json && serde_json::from_str::<String>(&format!("\"{fallback}\"")).is_err() {
        return Err(format!("the placeholder {name} reaches beyond its string"));
    }
    Ok(Segment::Placeholder { name: name.to_owned(), escaping, fallback: fallback.to_owned() })
}

fn is_name(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    (1..=NAME_LEN_MAX).contains(&name.len()) && name.chars().all(is_allowed)
}

fn excerpt(text: &str) -> &str {
    &text[..text.floor_char_boundary(40)]
}

fn bad(place: &str, text: impl Into<String>) -> BadPayload {
    BadPayload { place: place.to_owned(), text: text.into() }
}
