//! Cleans a fragment of HTML by a list of what is allowed.

use ammonia::Builder;
use podium_plugin::prelude::*;
use podium_plugin::values_as_url;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

const OPEN: &str = "{{";

/// Elements besides those that `ammonia` allows: structure, media, and buttons that do nothing by themselves.
const TAGS: [&str; 14] = [
    "address", "audio", "button", "label", "main", "meter", "picture", "progress", "section", "source",
    "tfoot", "track", "video", "wbr",
];
/// Attributes besides, on any element: how it looks and reads. No `id` and no `data-…`: scripts of the page go by them.
const ATTRIBUTES: [&str; 7] = ["class", "dir", "hidden", "role", "style", "tabindex", "title"];
/// What a `style` may say: nothing that loads, covers or moves what is outside the slot.
const STYLES: [&str; 42] = [
    "align-items",
    "background-color",
    "border",
    "border-bottom",
    "border-collapse",
    "border-color",
    "border-left",
    "border-radius",
    "border-right",
    "border-style",
    "border-top",
    "border-width",
    "color",
    "display",
    "flex",
    "flex-direction",
    "flex-wrap",
    "font-family",
    "font-size",
    "font-style",
    "font-weight",
    "gap",
    "height",
    "justify-content",
    "letter-spacing",
    "line-height",
    "margin",
    "margin-bottom",
    "margin-left",
    "margin-right",
    "margin-top",
    "max-height",
    "max-width",
    "min-height",
    "object-fit",
    "padding",
    "text-align",
    "text-decoration",
    "text-transform",
    "vertical-align",
    "white-space",
    "width",
];
/// Attributes of media.
const MEDIA: [(&str, &[&str]); 6] = [
    ("a", &["target"]),
    ("img", &["decoding", "loading", "sizes", "srcset"]),
    ("source", &["media", "sizes", "src", "srcset", "type"]),
    ("track", &["kind", "label", "src", "srclang"]),
    ("video", &["autoplay", "controls", "loop", "muted", "playsinline", "poster", "src"]),
    ("audio", &["autoplay", "controls", "loop", "muted", "src"]),
];
/// Where links and images may lead.
const SCHEMES: [&str; 4] = ["http", "https", "mailto", "tel"];
/// Attributes that name a place nobody follows; they are not checked like links.
const UNCHECKED: [&str; 4] = ["blockquote", "del", "ins", "q"];
/// What is wrong with a link of which a value could choose the host.
const NOT_FIXED: &str = "a placeholder may not decide where it leads; begin with /path or https://host/";

/// Keeps of `html` what is allowed: text, structure, images and links, with classes and ARIA attributes.
///
/// Scripts, stylesheets, forms, frames and every attribute that runs code are gone, together with links that lead
/// elsewhere than to a page, a mailbox or a telephone. A placeholder in a link is escaped as a piece of a URL.
pub(crate) fn clean(html: &str) -> Result<String> {
    let refused = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&refused);
    let mut builder = Builder::default();
    builder
        .add_tags(TAGS)
        .url_schemes(HashSet::from(SCHEMES))
        .add_generic_attributes(ATTRIBUTES)
        .add_generic_attribute_prefixes(["aria-"])
        .filter_style_properties(HashSet::from(STYLES))
        // The referrer stays: the shop's own pages count visits by it.
        .link_rel(Some("noopener"));
    for tag in UNCHECKED {
        builder.rm_tag_attributes(tag, ["cite"]);
    }
    // One without a type would send a form of the page that the slot stands in.
    builder.set_tag_attribute_value("button", "type", "button");
    for (tag, attributes) in MEDIA {
        builder.add_tag_attributes(tag, attributes);
    }
    builder.attribute_filter(move |element, attribute, value| {
        let wrong = match attribute {
            _ if !value.contains(OPEN) => return Some(value.into()),
            "href" | "poster" | "src" => (!leads_somewhere_fixed(value)).then_some(NOT_FIXED),
            "srcset" => (!lists_what_is_fixed(value)).then_some(NOT_FIXED),
            // What ends a string there is not what ends an attribute: a value could say anything behind it.
            "style" => Some("a placeholder may not stand in a style; choose between classes"),
            _ => return Some(value.into()),
        };
        if let Some(wrong) = wrong {
            let text = format!("/html: <{element} {attribute}={value:?}>: {wrong}");
            noted.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
        }
        Some(values_as_url(value).into())
    });
    let cleaned = builder.clean(html).to_string();
    drop(builder);
    if let Some(text) = refused.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(Error::content(text));
    }
    if cleaned.trim().is_empty() && !html.trim().is_empty() {
        return Err(Error::content(
            "/html: nothing of it is allowed; scripts, styles and forms are taken out",
        ));
    }
    Ok(cleaned)
}

/// Whether the text before the first placeholder decides scheme and host.
fn leads_somewhere_fixed(link: &str) -> bool {
    let (start, _) = link.split_once(OPEN).unwrap_or((link, ""));
    let start = start.trim_start();
    let is_path = start.starts_with('/') && !start[1..].starts_with(['/', '\\']);
    let has_host = ["http://", "https://"].iter().any(|scheme| {
        let behind = start.strip_prefix(scheme);
        behind.is_some_and(|behind| behind.find(['/', '?', '#']).is_some_and(|len| len > 0))
    });
    let is_address = start.starts_with("mailto:") || start.starts_with("tel:");
    is_path || has_host || is_address || start.starts_with(['?', '#'])
}

/// Whether every image of a `srcset` comes from where its own beginning says: white space ends each of them.
fn lists_what_is_fixed(images: &str) -> bool {
    images.split_whitespace().filter(|piece| piece.contains(OPEN)).all(leads_somewhere_fixed)
}

#[cfg(test)]
mod tests {
    use super::leads_somewhere_fixed;

    #[test]
    fn a_link_leads_where_its_beginning_says() {
        for link in ["/{{x}}", "https://a.example/{{x}}", "http://a?{{x}}", "?{{x}}", "#{{x}}", "tel:{{x}}"] {
            assert!(leads_somewhere_fixed(link), "{link}");
        }
        for link in [
            "{{x}}",
            "//{{x}}/",
            "/\\{{x}}",
            "https://{{x}}/",
            "https:///{{x}}",
            "https://a.{{x}}/",
            "j{{x}}",
        ] {
            assert!(!leads_somewhere_fixed(link), "{link}");
        }
    }
}
