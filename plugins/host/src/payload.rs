//! What a channel makes of a variant's content, and how its placeholders are filled.
//!
//! A payload may list links. Each is a URL with placeholders, which the server gets filled, to make an address of
//! its own that counts the click and leads there; `{{ podium.link.0 }}` is the address made of the first.

use crate::escape::Escaping;
use crate::template::{Template, is_name};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// The most parts of one payload.
const PARTS_MAX: usize = 64;
/// The most links of one payload.
const LINKS_MAX: usize = 256;

/// What a channel made of a variant's content: texts with placeholders, checked and ready to be filled.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Texts")]
pub struct Payload {
    parts: Vec<Part>,
    links: Vec<Template>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    name: String,
    escaping: Escaping,
    template: Template,
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    links: Vec<String>,
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
    /// The name of the part, or `links[0]`, or `payload`.
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
    /// Reads what a channel wrote: `{"parts": [{"name", "escaping", "text"}, …], "links": ["https://…", …]}`;
    /// no `links` are none.
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
        let text = |part: &Part| part.text(part.template.source().to_owned());
        let texts = Texts {
            parts: self.parts.iter().map(text).collect(),
            links: self.links.iter().map(|link| link.source().to_owned()).collect(),
        };
        serde_json::json!(texts).to_string()
    }

    /// Lists the names of all values, each once, in the order of their first use; those of links come last.
    pub fn placeholders(&self) -> Vec<&str> {
        let mut seen = HashSet::new();
        let templates = self.parts.iter().map(|part| &part.template).chain(&self.links);
        templates.flat_map(Template::names).filter(|name| seen.insert(*name)).collect()
    }

    /// Replaces every placeholder by what `value` says, escaped for its place.
    ///
    /// `link` is asked once for each link, with its number and where it leads, and says what stands in the place
    /// of `{{ podium.link.… }}`: an address that counts the click, or the same again.
    ///
    /// # Errors
    ///
    /// [`Unfillable`] if a value would break a header.
    pub fn fill<'v>(
        &self,
        value: impl Fn(&str) -> Option<&'v str>,
        link: impl Fn(usize, &str) -> String,
    ) -> Result<Filled, Unfillable> {
        let mut links = Vec::with_capacity(self.links.len());
        for (link_idx, template) in self.links.iter().enumerate() {
            let part = || format!("links[{link_idx}]");
            let target =
                template.fill(&value, &[]).map_err(|placeholder| Unfillable { part: part(), placeholder })?;
            links.push(link(link_idx, &target));
        }
        let filled = |part: &Part| {
            let text = part.template.fill(&value, &links);
            let unfillable = |placeholder| Unfillable { part: part.name.clone(), placeholder };
            text.map(|text| part.text(text)).map_err(unfillable)
        };
        self.parts.iter().map(filled).collect::<Result<_, _>>().map(|parts| Filled { parts })
    }
}

impl TryFrom<Texts> for Payload {
    type Error = BadPayload;

    fn try_from(Texts { parts, links }: Texts) -> Result<Self, BadPayload> {
        if parts.is_empty() || PARTS_MAX < parts.len() {
            return Err(bad("payload", format!("{} parts, but there are 1 to {PARTS_MAX}", parts.len())));
        }
        if LINKS_MAX < links.len() {
            return Err(bad("payload", format!("{} links, but there are at most {LINKS_MAX}", links.len())));
        }
        let mut names = HashSet::new();
        if let Some(twice) = parts.iter().find(|part| !names.insert(part.name.as_str())) {
            return Err(bad(&twice.name, "there is another part of this name"));
        }
        let parts = parts.into_iter().map(|part| Part::parse(part, links.len())).collect::<Result<_, _>>()?;
        let links = links.into_iter().enumerate().map(parse_link).collect::<Result<_, _>>()?;
        Ok(Self { parts, links })
    }
}

impl Part {
    fn parse(Text { name, escaping, text }: Text, n_links: usize) -> Result<Self, BadPayload> {
        if !is_name(&name) {
            return Err(bad("payload", format!("{name:?} is no name of a part")));
        }
        let template = Template::parse(text, escaping, n_links).map_err(|text| bad(&name, text))?;
        Ok(Self { name, escaping, template })
    }

    fn text(&self, text: String) -> Text {
        Text { name: self.name.clone(), escaping: self.escaping, text }
    }
}

fn parse_link((link_idx, link): (usize, String)) -> Result<Template, BadPayload> {
    let bad = |text: String| bad(&format!("links[{link_idx}]"), text);
    let link = Template::parse(link, Escaping::Url, 0).map_err(bad)?;
    check_link(&link).map_err(bad)?;
    Ok(link)
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

/// Lets a link pass whose scheme and host stand before any placeholder: no value decides where it leads.
fn check_link(link: &Template) -> Result<(), String> {
    let (beginning, is_open) = link.beginning();
    let behind = ["http://", "https://"].iter().find_map(|scheme| beginning.strip_prefix(scheme));
    let is_fixed = behind.is_some_and(|behind| match behind.find(['/', '?', '#']) {
        Some(host_len) => 0 < host_len,
        None => !is_open && !behind.is_empty(),
    });
    if is_fixed { Ok(()) } else { Err(format!("{:?} must begin with https://host/", link.source())) }
}

fn bad(place: &str, text: impl Into<String>) -> BadPayload {
    BadPayload { place: place.to_owned(), text: text.into() }
}
