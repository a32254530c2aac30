//! The bundled channel for slots of a page: a fragment of HTML, a JSON document, or a redirect.
//!
//! A plugin like any other. It sends nothing: the page asks for its decision and gets the slot with it. HTML is
//! cleaned when it is published, not when it is shown; values that are filled in later are escaped for the very
//! place they stand in. A redirect leads to a page of the shop, or of a host that the settings list.

mod fragment;
mod redirect;

use podium_plugin::prelude::*;
use redirect::Hosts;
use serde_json::Value;

export_plugin! { id: "podium.web", channels: [Web] }

/// Where redirects may lead.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Hosts that redirects may lead to besides the shop's own: `sale.example`, or `sale.example:8443`.
    #[serde(default)]
    redirect_hosts: Vec<String>,
}

/// What fills a slot: one of the three.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Slot {
    Html(String),
    Json(Value),
    Redirect(String),
}

struct Web(Hosts);

impl Channel for Web {
    type Config = Settings;
    const INFO: ChannelInfo = ChannelInfo::new("web", "Slot of a page", Class::Pull).description(
        "A fragment of HTML, a JSON document or a redirect, for a page that asks. Scripts, forms and styles are \
         taken out of HTML.",
    );

    fn create(settings: Settings, _host: &Host) -> Result<Self> {
        Ok(Self(Hosts::new(&settings.redirect_hosts)?))
    }

    fn render(&self, content: &Content<'_>) -> Result<Payload> {
        Ok(Payload::new([match content.read()? {
            Slot::Html(html) => Part::html("html", fragment::clean(&html)?),
            Slot::Json(document) => Part::json("json", document),
            Slot::Redirect(location) => Part::url("redirect", self.0.check(location)?),
        }]))
    }

    fn deliver(&self, _message: &Message<'_>, _call: &Call<'_>) -> Outcome {
        Outcome::Rejected("a page asks for its slots".into())
    }
}
