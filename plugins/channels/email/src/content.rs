//! What a marketer writes for a variant, and what is sent of it.

use crate::html;
use crate::settings::Tracking;
use podium_plugin::prelude::*;

/// The content of a variant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draft {
    subject: String,
    /// What mailboxes show beside the subject.
    #[serde(default)]
    preheader: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    html: Option<String>,
}

/// Makes the parts of a message. A mail with HTML and no text gets one that says the same.
pub(crate) fn render(draft: Draft, tracking: Tracking) -> Result<Payload> {
    let Draft { subject, preheader, text, html } = draft;
    if subject.trim().is_empty() {
        return Err(Error::content("/subject: a mail needs one"));
    }
    if subject.contains(['\r', '\n', '\0']) {
        return Err(Error::content("/subject: it is one line"));
    }
    let subject = Part::header("subject", subject);
    match (html, text) {
        (Some(html), text) if !html.trim().is_empty() => {
            let tracked = html::track(&html, preheader.as_deref(), tracking)?;
            let text = text.filter(|text| !text.trim().is_empty()).unwrap_or(tracked.text);
            let parts = [subject, Part::plain("text", text), Part::html("html", tracked.html)];
            Ok(Payload::new(parts).with_links(tracked.links))
        }
        (_, Some(_)) if preheader.is_some() => {
            Err(Error::content("/preheader: it stands in the html, and there is none"))
        }
        (_, Some(text)) if !text.trim().is_empty() => Ok(Payload::new([subject, Part::plain("text", text)])),
        _ => Err(Error::content("/html: a mail needs `html`, `text`, or both")),
    }
}
