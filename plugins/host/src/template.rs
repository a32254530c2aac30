//! A text with placeholders: what is one, and what stands in its place.
//!
//! A placeholder is `{{ name }}`, or `{{ name | fallback }}` for whoever has no such value, or an empty one.
//! Without a fallback, nothing stands there. `{{ url:name }}` escapes the value as a piece of a URL whatever the
//! text is: for a link inside HTML. Nothing else may begin with `{{`.
//!
//! Names that begin with `podium.` are the server's: `podium.link.0` is the tracked address of the payload's
//! first link, `podium.open_url` that of an image that counts as opened, `podium.unsubscribe_url` where one
//! leaves.

use crate::escape::{Escaping, is_one_line};

const NAME_LEN_MAX: usize = 64;
const OPEN: &str = "{{";
const CLOSE: &str = "}}";
const AS_URL: &str = "url:";
const OURS: &str = "podium.";
const LINK: &str = "podium.link.";
const OUR_VALUES: [&str; 2] = ["podium.open_url", "podium.unsubscribe_url"];

/// A text with placeholders, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    /// As it came.
    source: String,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Value { name: String, escaping: Escaping, fallback: String },
    Link { link_idx: usize, escaping: Escaping },
}

impl Template {
    /// Reads a text whose values are escaped by `escaping`; it may name the first `n_links` links.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub(crate) fn parse(source: String, escaping: Escaping, n_links: usize) -> Result<Self, String> {
        check_literal(&source, escaping)?;
        let mut segments = Vec::new();
        let mut rest = source.as_str();
        while let Some(start) = rest.find(OPEN) {
            let Some((inside, behind)) = rest[start + OPEN.len()..].split_once(CLOSE) else {
                return Err(format!("{OPEN} without {CLOSE}: {:?}", excerpt(&rest[start..])));
            };
            segments.push(Segment::Literal(rest[..start].to_owned()));
            segments.push(placeholder(inside, escaping, n_links)?);
            rest = behind;
        }
        segments.push(Segment::Literal(rest.to_owned()));
        Ok(Self { source, segments })
    }

    /// Lends the text as it came.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// Lends what stands before the first placeholder, and says whether there is one.
    pub(crate) fn beginning(&self) -> (&str, bool) {
        let (beginning, behind) = self.source.split_once(OPEN).unwrap_or((&self.source, ""));
        (beginning, !behind.is_empty())
    }

    /// Lists the names of values, as often as they stand there.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) | Segment::Link { .. } => None,
            Segment::Value { name, .. } => Some(name.as_str()),
        })
    }

    /// Replaces every placeholder by its value or the address of its link, escaped for its place.
    ///
    /// # Errors
    ///
    /// The name of the placeholder whose value would break a header.
    pub(crate) fn fill<'v>(
        &self,
        value: &impl Fn(&str) -> Option<&'v str>,
        links: &[String],
    ) -> Result<String, String> {
        let mut text = String::with_capacity(self.source.len() * 2);
        for segment in &self.segments {
            let is_appended = match segment {
                Segment::Literal(literal) => {
                    text.push_str(literal);
                    true
                }
                Segment::Link { link_idx, escaping } => {
                    links.get(*link_idx).is_some_and(|link| escaping.append(&mut text, link))
                }
                Segment::Value { name, escaping, fallback } => match value(name) {
                    // The fallback is the author's, written for this place like the text around it.
                    None | Some("") => {
                        text.push_str(fallback);
                        true
                    }
                    Some(value) => escaping.append(&mut text, value),
                },
            };
            if !is_appended {
                return Err(segment.name());
            }
        }
        Ok(text)
    }
}

impl Segment {
    fn name(&self) -> String {
        match self {
            Self::Literal(_) => String::new(),
            Self::Value { name, .. } => name.clone(),
            Self::Link { link_idx, .. } => format!("{LINK}{link_idx}"),
        }
    }
}

/// Whether a text can name a part or a value.
pub(crate) fn is_name(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    (1..=NAME_LEN_MAX).contains(&name.len()) && name.chars().all(is_allowed)
}

/// Checks what stands around placeholders.
fn check_literal(text: &str, escaping: Escaping) -> Result<(), String> {
    match escaping {
        Escaping::Header if !is_one_line(text) => Err("a header is one line, without a zero byte".into()),
        Escaping::Url if text.contains(|c: char| c.is_control()) => {
            Err("a URL has no control characters".into())
        }
        Escaping::Json => {
            let document: serde_json::Value =
                serde_json::from_str(text).map_err(|error| error.to_string())?;
            if has_open_key(&document) {
                return Err("a placeholder in the name of a member".into());
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

fn placeholder(inside: &str, text: Escaping, n_links: usize) -> Result<Segment, String> {
    let (name, fallback) = inside.split_once('|').unwrap_or((inside, ""));
    let (name, fallback) = (name.trim(), fallback.trim());
    let (name, escaping) = name.strip_prefix(AS_URL).map_or((name, text), |name| (name, Escaping::Url));
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
    if text == Escaping::Html && fallback.contains(['<', '>', '"']) {
        return Err(format!("the fallback of {name} has markup in it: no <, > or \" may stand there"));
    }
    // It must not end the string that it stands in: the placeholder would reach into the document around it.
    if text == Escaping::Json && serde_json::from_str::<String>(&format!("\"{fallback}\"")).is_err() {
        return Err(format!("the placeholder {name} reaches beyond its string"));
    }
    if let Some(idx) = name.strip_prefix(LINK) {
        let link_idx = idx.parse().ok().filter(|&link_idx| link_idx < n_links && fallback.is_empty());
        let link_idx = link_idx.ok_or_else(|| format!("{name} is none of the {n_links} links"))?;
        return Ok(Segment::Link { link_idx, escaping });
    }
    if name.starts_with(OURS) && !OUR_VALUES.contains(&name) {
        return Err(format!("{name} is none of the server's values: {}", OUR_VALUES.join(", ")));
    }
    Ok(Segment::Value { name: name.to_owned(), escaping, fallback: fallback.to_owned() })
}

fn excerpt(text: &str) -> &str {
    &text[..text.floor_char_boundary(40)]
}
