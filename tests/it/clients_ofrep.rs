//! OpenFeature clients, as their registries have them.

use crate::harness::{Book, Clients, Engine, Named, Shop, experiment, named};
use serde_json::{Value, json};
use std::path::Path;

const CHROMIUM: &str = "/usr/bin/chromium";

pub(crate) fn promises(book: &mut Book) {
    let of_servers: [Named<fn(Engine)>; 4] = [
        named!(a_node_server_gets_values_of_all_types_and_their_reasons),
        named!(a_node_server_waits_after_too_many_requests),
        named!(a_python_server_gets_values_of_all_types_and_their_reasons),
        named!(a_python_server_waits_after_too_many_requests),
    ];
    let of_pages: [Named<fn(Engine)>; 3] = [
        named!(a_page_has_its_copy_confirmed_and_hears_of_changes),
        named!(a_page_waits_after_too_many_requests),
        named!(a_page_of_an_origin_that_a_key_is_not_for_gets_nothing),
    ];
    let clients = Clients::installed();
    let browser =
        if Path::new(CHROMIUM).exists() { clients.clone().map(|_| ()) } else { Err("needs Chromium") };
    for (all, here) in [(of_servers.as_slice(), clients.map(|_| ())), (&of_pages, browser)] {
        for test in all {
            match here {
                Ok(()) => book.both(*test),
                Err(need) => book.skip(test.name.trim_start_matches("it::"), need),
            }
        }
    }
}

/// A shop with a flag of each type, and one in each state.
fn shop(engine: Engine, env: &[(&str, &str)]) -> Shop {
    let shop = Shop::with(engine, Vec::new(), env);
    let both = |key: &str, content: &Value| {
        let mut definition = experiment(key, &["control", "other"]);
        for variant in definition["variants"].as_array_mut().unwrap() {
            variant["content"] = content.clone();
        }
        definition
    };
    for (key, content) in [
        ("boolean", json!(true)),
        ("text", json!("Free returns")),
        ("integer", json!(7)),
        ("object", json!({"layout": "wide", "columns": [1, 2.5]})),
    ] {
        shop.run(&both(key, &content));
    }
    let mut float = both("float", &json!(8));
    float["value_type"] = json!("float");
    shop.run(&float);
    let mut secret = both("secret", &json!("for servers alone"));
    secret["server_only"] = json!(true);
    shop.run(&secret);
    shop.register(&both("draft", &json!("a draft")));
    let mut concluded = both("concluded", &json!("the control"));
    concluded["variants"][1]["content"] = json!("the winner");
    shop.run(&concluded);
    let conclusion = json!({"serve": "other", "reason": "it is time"});
    let path = "/api/v1/experiments/concluded/conclude";
    shop.admin.edit("POST", path, "*", Some(&conclusion)).expect(200);
    shop
}

const LIMITED: &[(&str, &str)] = &[("PODIUM_EVALUATIONS_PER_ADDRESS", "1")];

fn clients() -> Clients {
    Clients::installed().unwrap()
}

pub(crate) fn a_node_server_gets_values_of_all_types_and_their_reasons(engine: Engine) {
    let shop = shop(engine, &[]);
    clients().node("ofrep_server.mjs", &[shop.podium.url(), &shop.podium.key("server")]);
}

pub(crate) fn a_node_server_waits_after_too_many_requests(engine: Engine) {
    let shop = shop(engine, LIMITED);
    clients().node("ofrep_server.mjs", &[shop.podium.url(), &shop.podium.key("publishable"), "limited"]);
}

pub(crate) fn a_python_server_gets_values_of_all_types_and_their_reasons(engine: Engine) {
    let shop = shop(engine, &[]);
    clients().python("ofrep.py", &[shop.podium.url(), &shop.podium.key("server")]);
}

pub(crate) fn a_python_server_waits_after_too_many_requests(engine: Engine) {
    let shop = shop(engine, LIMITED);
    clients().python("ofrep.py", &[shop.podium.url(), &shop.podium.key("publishable"), "limited"]);
}

fn in_a_page(shop: &Shop, mode: &[&str]) {
    let (page, admin) = (shop.podium.key("publishable"), shop.podium.key("admin"));
    clients().node("ofrep_web.mjs", &[&[shop.podium.url(), &page, &admin, CHROMIUM], mode].concat());
}

pub(crate) fn a_page_has_its_copy_confirmed_and_hears_of_changes(engine: Engine) {
    in_a_page(&shop(engine, &[]), &[]);
}

pub(crate) fn a_page_of_an_origin_that_a_key_is_not_for_gets_nothing(engine: Engine) {
    in_a_page(&shop(engine, &[]), &["origins"]);
}

pub(crate) fn a_page_waits_after_too_many_requests(engine: Engine) {
    in_a_page(&shop(engine, LIMITED), &["limited"]);
}
