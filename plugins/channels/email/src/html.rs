//! Finds the links of an HTML mail, and puts in what is tracked. Everything else stays byte for byte.

use crate::link::{self, Link};
use crate::plain_text::PlainText;
use crate::settings::Tracking;
use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};
use podium_plugin::prelude::*;
use std::borrow::Cow;
use std::convert::Infallible;
use std::ops::Range;

/// An image that nobody sees. It is fetched when the mail is opened.
const PIXEL: &str = r#"<img src="{{ podium.open_url }}" width="1" height="1" alt="">"#;

/// Text as long as nothing stands in the place of the placeholder.
const VALUE_AS_TAG: &str = "<{{";

/// An HTML text with its links taken out.
pub(crate) struct Tracked {
    pub(crate) html: String,
    /// What stands for the HTML where it is not shown.
    pub(crate) text: String,
    /// Where the links lead, in the order of their numbers.
    pub(crate) links: Vec<String>,
}

/// Reads HTML and puts in what is tracked, and the preheader: what a mailbox shows beside the subject.
///
/// # Errors
///
/// Content with a script, with a link that leads nowhere, or with a placeholder whose value could become markup.
pub(crate) fn track(html: &str, preheader: Option<&str>, tracking: Tracking) -> Result<Tracked> {
    // The tokenizer counts a CR LF as one.
    let html = html.replace("\r\n", "\n").replace('\r', "\n");
    let mut reader = Reader::new(&html, tracking);
    if html.contains(VALUE_AS_TAG) {
        reader.refuse("a value behind a < could become a tag; write &lt;".into());
    }
    let mut emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, span: Span<usize>| {
        reader.read(&event, span.start..span.end);
        None::<Infallible>
    });
    emitter.naively_switch_states(true);
    let Ok(()) = Tokenizer::new_with_emitter(html.as_str(), emitter).finish();
    reader.finish(preheader)
}

/// What is known so far.
struct Reader<'a> {
    html: &'a str,
    tracking: Tracking,
    element: String,
    /// The attributes of the element: of two with one name the first counts.
    attributes: Vec<String>,
    is_first: bool,
    edits: Vec<(Range<usize>, String)>,
    links: Vec<String>,
    text: PlainText,
    /// Where the visible part begins, and where it ends.
    begin: usize,
    end: Option<usize>,
    wrong: Option<String>,
}

impl<'a> Reader<'a> {
    fn new(html: &'a str, tracking: Tracking) -> Self {
        Self {
            html,
            tracking,
            element: String::new(),
            attributes: Vec::new(),
            is_first: true,
            edits: Vec::new(),
            links: Vec::new(),
            text: PlainText::default(),
            begin: 0,
            end: None,
            wrong: None,
        }
    }

    fn read(&mut self, event: &CallbackEvent<'_>, span: Range<usize>) {
        match event {
            CallbackEvent::OpenStartTag { name } => self.open(&utf8(name)),
            CallbackEvent::AttributeName { name } => {
                let name = utf8(name).into_owned();
                self.check_place(&name);
                self.is_first = !self.attributes.contains(&name);
                self.attributes.push(name);
            }
            CallbackEvent::AttributeValue { value } => {
                let value = utf8(value);
                if !self.is_quoted(&span) {
                    self.check_place(&value);
                }
                if self.is_first {
                    self.value(&value, span);
                }
            }
            CallbackEvent::CloseStartTag { .. } if self.element == "body" => self.begin = span.end,
            CallbackEvent::EndTag { name } => {
                let name = utf8(name);
                match name.as_ref() {
                    "head" => self.begin = self.begin.max(span.end),
                    "body" => self.end = Some(span.start),
                    "html" => self.end = self.end.or(Some(span.start)),
                    _ => {}
                }
                self.text.close(&name);
            }
            CallbackEvent::String { value } => self.text.text(&utf8(value)),
            CallbackEvent::CloseStartTag { .. }
            | CallbackEvent::Comment { .. }
            | CallbackEvent::Doctype { .. }
            | CallbackEvent::Error(_) => {}
        }
    }

    fn open(&mut self, element: &str) {
        if element == "script" {
            self.refuse("<script>: no mailbox runs it, and many refuse a mail with one".into());
        }
        self.check_place(element);
        self.text.open(element);
        element.clone_into(&mut self.element);
        self.attributes.clear();
    }

    fn value(&mut self, value: &str, span: Range<usize>) {
        let attribute = self.attributes.last().map_or("", String::as_str);
        match (self.element.as_str(), attribute) {
            ("a" | "area", "href") => self.link(value, span),
            ("img", "alt") => self.text.text(value),
            (_, "href" | "src" | "background" | "poster" | "action" | "formaction") => {
                self.source(value, link::check_source(value), span);
            }
            // White space ends each of its addresses.
            (_, "srcset") => {
                self.source(value, value.split_whitespace().try_for_each(link::check_source), span);
            }
            _ => {}
        }
    }

    fn link(&mut self, value: &str, span: Range<usize>) {
        match link::read(value) {
            Ok(Link::Page) if self.tracking.clicks => {
                let address = format!("{{{{ podium.link.{} }}}}", self.links.len());
                self.text.leads_to(address.clone());
                self.links.push(value.trim().to_owned());
                let is_quoted = self.is_quoted(&span);
                self.edits.push((span, if is_quoted { address } else { format!("\"{address}\"") }));
            }
            Ok(kind) => {
                if kind == Link::Page || link::is_ours(value) {
                    self.text.leads_to(link::as_url(value.trim()));
                }
                self.escape_values(span);
            }
            Err(wrong) => self.refuse_attribute(value, &wrong),
        }
    }

    fn source(&mut self, value: &str, checked: Result<(), String>, span: Range<usize>) {
        match checked {
            Ok(()) => self.escape_values(span),
            Err(wrong) => self.refuse_attribute(value, &wrong),
        }
    }

    /// Makes values that stand in a link pieces of a URL.
    fn escape_values(&mut self, span: Range<usize>) {
        let Some(source) = self.html.get(span.clone()) else { return };
        let escaped = link::as_url(source);
        if escaped != source {
            self.edits.push((span, escaped));
        }
    }

    /// Refuses a placeholder in a part of a tag that a space ends: behind it, a value could say anything.
    fn check_place(&mut self, part: &str) {
        if part.contains(link::OPEN) {
            self.refuse(format!("{part:?}: in a tag, a placeholder stands between quotes"));
        }
    }

    /// Whether the value of an attribute stands between quotes.
    fn is_quoted(&self, span: &Range<usize>) -> bool {
        self.html.get(..span.start).is_some_and(|before| before.ends_with(['"', '\'']))
    }

    fn refuse_attribute(&mut self, value: &str, wrong: &str) {
        let attribute = self.attributes.last().map_or("", String::as_str);
        self.refuse(format!("<{} {attribute}={value:?}>: {wrong}", self.element));
    }

    fn refuse(&mut self, wrong: String) {
        self.wrong.get_or_insert(wrong);
    }

    fn finish(mut self, preheader: Option<&str>) -> Result<Tracked> {
        if let Some(wrong) = self.wrong {
            return Err(Error::content(format!("/html: {wrong}")));
        }
        if let Some(preheader) = preheader {
            let hidden = format!(
                "<div style=\"display:none;max-height:0;overflow:hidden\">{}</div>",
                escaped(preheader)
            );
            self.edits.push((self.begin..self.begin, hidden));
        }
        if self.tracking.opens {
            let end = self.end.unwrap_or(self.html.len()).max(self.begin);
            self.edits.push((end..end, PIXEL.into()));
        }
        self.edits.sort_by_key(|(span, _)| span.start);
        let mut html = String::with_capacity(self.html.len() * 2);
        let mut done = 0;
        let end = self.html.len();
        for (span, replacement) in self.edits.into_iter().chain([(end..end, String::new())]) {
            let unchanged = self.html.get(done..span.start);
            html += unchanged.ok_or_else(|| Error::internal("/html: places that overlap"))?;
            html += &replacement;
            done = span.end;
        }
        Ok(Tracked { html, text: self.text.finish(), links: self.links })
    }
}

fn utf8(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Makes a text of its author's safe to stand in HTML; its placeholders stay.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
