//! Slots of a page: contents are checked and rendered when they are published, and a page gets what was rendered.

use crate::harness::{Book, Engine, Shop, experiment, named};
use serde_json::{Value, json};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(a_page_gets_what_was_rendered_when_it_was_published));
    book.once(named!(a_content_that_a_channel_cannot_show_is_refused_when_it_is_registered));
    book.once(named!(a_channel_that_is_gone_leaves_the_content_as_it_was_written));
}

/// What a page is told to show.
#[track_caller]
fn shown(shop: &Shop, flag: &str, unit: &str, context: &Value) -> Value {
    let body = json!({"unit": unit, "flags": [flag], "channel": "web", "context": context});
    shop.admin.post("/api/v1/decide", &body).expect(200)["decisions"][0]["value"].clone()
}

fn with_content(flag: &str, content: &Value) -> Value {
    let mut definition = experiment(flag, &["a", "b"]);
    for variant in [0, 1] {
        definition["variants"][variant]["content"] = content.clone();
    }
    definition
}

pub(crate) fn a_page_gets_what_was_rendered_when_it_was_published(engine: Engine) {
    let mut shop = Shop::open(engine);
    let html = r#"<p onclick="x()">Hi {{ name | friend }}</p><script>x()</script>"#;
    shop.run(&with_content("html", &json!({"html": html})));
    shop.run(&with_content("json", &json!({"json": {"greeting": "Hi {{ name }}"}})));
    shop.run(&with_content("redirect", &json!({"redirect": "/sale?who={{ name }}"})));
    shop.run(&with_content("config", &json!({"color": "red"})));
    let mut apart = with_content("apart", &json!({"color": "red"}));
    for variant in [0, 1] {
        apart["variants"][variant]["channels"] = json!({"web": {"html": "<b>red</b>"}});
    }
    shop.run(&apart);
    for _ in 0..2 {
        let ann = json!({"name": "A<b>\"nn"});
        assert_eq!(shown(&shop, "html", "u1", &ann), json!({"html": "<p>Hi A&lt;b&gt;&quot;nn</p>"}));
        assert_eq!(shown(&shop, "html", "u1", &json!({})), json!({"html": "<p>Hi friend</p>"}));
        assert_eq!(shown(&shop, "json", "u1", &ann), json!({"json": {"greeting": "Hi A<b>\"nn"}}));
        assert_eq!(shown(&shop, "redirect", "u1", &ann), json!({"redirect": "/sale?who=A%3Cb%3E%22nn"}));
        // What is for programs stays what it is, and so does everything for those that are no page.
        assert_eq!(shown(&shop, "config", "u1", &ann), json!({"color": "red"}));
        assert_eq!(shop.decide("u1", "html").value, json!({"html": html}));
        assert_eq!(shown(&shop, "apart", "u1", &ann), json!({"html": "<b>red</b>"}));
        assert_eq!(shop.decide("u1", "apart").value, json!({"color": "red"}));
        shop.restart();
    }
    shop.check_rebuild();
}

pub(crate) fn a_content_that_a_channel_cannot_show_is_refused_when_it_is_registered() {
    let shop = Shop::open(Engine::Sqlite);
    let mut definition = with_content("banner", &json!({"html": "<b>x</b>"}));
    for (channels, slug, pointer) in [
        (json!({"web": {"html": "<script>x()</script>"}}), "content-refused", "/variants/1/channels/web"),
        (json!({"web": {"htm": "x"}}), "content-refused", "/variants/1/channels/web"),
        (json!({"fax": {"html": "x"}}), "unknown-channel", "/variants/1/channels/fax"),
    ] {
        definition["variants"][1]["channels"] = channels;
        let problem = shop.admin.post("/api/v1/experiments", &definition).problem(422);
        assert_eq!((problem.slug.as_str(), &problem.pointers[..]), (slug, &[pointer.to_owned()][..]));
    }
    definition["variants"][1]["channels"] = json!({});
    shop.run(&definition);
    let newcomer = json!({"key": "c", "channels": {"web": {"html": "<iframe></iframe>"}}});
    let path = "/api/v1/experiments/banner/variants";
    let problem = shop.admin.edit("POST", path, "*", Some(&newcomer)).problem(422);
    assert_eq!(
        (problem.slug.as_str(), &problem.pointers[..]),
        ("content-refused", &["/channels/web".to_owned()][..])
    );
}

pub(crate) fn a_channel_that_is_gone_leaves_the_content_as_it_was_written() {
    let shop = Shop::open(Engine::Sqlite);
    shop.run(&with_content("banner", &json!({"html": "<b onclick=x()>x</b>"})));
    assert_eq!(shown(&shop, "banner", "u1", &json!({})), json!({"html": "<b>x</b>"}));
    shop.admin.edit("DELETE", "/api/v1/channels/web", "*", None).expect(204);
    assert_eq!(shown(&shop, "banner", "u1", &json!({})), json!({"html": "<b onclick=x()>x</b>"}));
}
