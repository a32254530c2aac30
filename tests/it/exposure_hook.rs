//! The hook of examples/openfeature-hook, in the clients that it is for.

use crate::harness::{Book, Clients, Engine, Named, Shop, experiment, named};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const CHROMIUM: &str = "/usr/bin/chromium";

pub(crate) fn promises(book: &mut Book) {
    let clients = Clients::installed().err();
    let browser = clients.or_else(|| (!Path::new(CHROMIUM).exists()).then_some("needs Chromium"));
    let promises: [Named<fn(Engine)>; 3] = [
        named!(a_node_server_tells_of_each_unit_once),
        named!(a_page_with_segments_client_tells_what_was_seen),
        named!(a_page_without_a_client_for_events_tells_what_was_seen),
    ];
    for (test, need) in promises.into_iter().zip([clients, browser, browser]) {
        match need {
            None => book.both(test),
            Some(need) => book.skip(test.name.trim_start_matches("it::"), need),
        }
    }
}

/// Two experiments that count events alone, and a draft.
fn shop(engine: Engine) -> Shop {
    let shop = Shop::open(engine);
    let counting_events = |key: &str| -> Value {
        let mut definition = experiment(key, &["control", "b"]);
        for variant in definition["variants"].as_array_mut().unwrap() {
            variant["content"] = json!("a text");
        }
        definition["exposure"] = json!("event");
        definition
    };
    shop.run(&counting_events("banner"));
    shop.run(&counting_events("other-banner"));
    shop.register(&counting_events("draft"));
    shop
}

fn hook() -> String {
    let path: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/openfeature-hook/exposure.mjs");
    path.canonicalize().unwrap().display().to_string()
}

pub(crate) fn a_node_server_tells_of_each_unit_once(engine: Engine) {
    let shop = shop(engine);
    let (key, admin) = (shop.podium.key("server"), shop.podium.key("admin"));
    Clients::installed().unwrap().node("exposure_server.mjs", &[shop.podium.url(), &key, &admin, &hook()]);
}

fn in_a_page(engine: Engine, how: &str) {
    let shop = shop(engine);
    let (key, admin) = (shop.podium.key("publishable"), shop.podium.key("admin"));
    let arguments = [shop.podium.url(), &key, &admin, CHROMIUM, &hook(), how];
    Clients::installed().unwrap().node("exposure_web.mjs", &arguments);
}

pub(crate) fn a_page_with_segments_client_tells_what_was_seen(engine: Engine) {
    in_a_page(engine, "segment");
}

pub(crate) fn a_page_without_a_client_for_events_tells_what_was_seen(engine: Engine) {
    in_a_page(engine, "fetch");
}
