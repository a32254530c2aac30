//! What a verdict turns to is written down, and what the experiment wants done then is done, and can be undone.

use crate::harness::{Book, Engine, Shop, named, soon};
use crate::verdicts::{Shoppers, elsewhere, even};
use serde_json::{Value, json};

const PATH: &str = "/api/v1/experiments/banner";

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(a_winner_ends_the_experiment_if_that_is_wanted));
    book.both(named!(what_does_harm_is_stopped_if_that_is_wanted));
}

/// A running experiment of which shoppers buy at these rates. Nothing but reports is wanted yet.
fn with_shoppers(engine: Engine, rates: [f64; 2]) -> Shop {
    let shop = Shop::open(engine);
    let mut experiment = elsewhere("banner", "conversion");
    experiment["automation"] = json!({"on_winner": "report", "on_harm": "report"});
    shop.run(&experiment);
    shop.log(&Shoppers::new("banner", 3).come(rates, even).events);
    shop
}

/// Waits until something has happened without a person; the detail of its entry.
fn happened(shop: &Shop, kind: &str) -> Value {
    soon(kind, || {
        let page = shop.admin.get(&format!("{PATH}/history?limit=500")).expect(200);
        let entries = page["data"].as_array().unwrap().clone();
        let found = entries.into_iter().find(|entry| entry["kind"] == kind && entry["actor"] == "podium");
        found.map(|entry| entry["detail"].clone())
    })
}

fn a_winner_ends_the_experiment_if_that_is_wanted(engine: Engine) {
    let shop = with_shoppers(engine, [0.10, 0.20]);
    assert_eq!(happened(&shop, "winner"), json!({"variant": "bold"}));
    let tried = shop.admin.edit("POST", &format!("{PATH}/conclude?dry_run=true"), "*", None).expect(200);
    assert_eq!(tried["served"], "bold", "what would be served without a word");
    assert_eq!(shop.experiment("banner")["status"], "running");
    shop.patch("banner", &json!({"automation": {"on_winner": "conclude", "dry_run": true}})).expect(200);
    let would = json!({"would": {"action": "conclude", "serve": "bold"}});
    assert_eq!(happened(&shop, "dry_run"), would);
    assert_eq!(shop.experiment("banner")["status"], "running");
    shop.patch("banner", &json!({"automation": {"dry_run": false}})).expect(200);
    let concluded = json!({"served": "bold", "reason": null, "before": "running"});
    assert_eq!(happened(&shop, "concluded"), concluded);
    assert_eq!(shop.experiment("banner")["served"], "bold");
    let undone = shop.admin.edit("POST", &format!("{PATH}/undo"), "*", Some(&json!({}))).expect(200);
    assert_eq!(undone["status"], "running");
}

fn what_does_harm_is_stopped_if_that_is_wanted(engine: Engine) {
    let shop = with_shoppers(engine, [0.20, 0.10]);
    assert_eq!(happened(&shop, "harmful"), json!({"variant": "bold"}));
    shop.patch("banner", &json!({"automation": {"on_harm": "stop"}})).expect(200);
    assert_eq!(happened(&shop, "paused"), json!({"harming": "bold"}), "only the control would be left");
    assert_eq!(shop.experiment("banner")["status"], "paused");
    let undone = shop.admin.edit("POST", &format!("{PATH}/undo"), "*", Some(&json!({}))).expect(200);
    assert_eq!(undone["status"], "running");
}
