//! An experiment that starts and ends by itself.

use crate::harness::events::{now, rfc3339};
use crate::harness::{Book, Engine, Shop, experiment, named, soon};
use serde_json::json;

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(an_experiment_starts_and_ends_on_time));
    book.both(named!(a_start_that_passed_while_the_server_was_down_is_made_up_for));
    book.both(named!(an_end_that_passed_while_the_server_was_down_is_made_up_for));
}

#[track_caller]
fn await_status(shop: &Shop, status: &str) {
    soon(&format!("the experiment is {status}"), || {
        (shop.experiment("sale")["status"] == status).then_some(())
    });
}

/// Waits for what a shopper meets: it follows the status by a moment.
#[track_caller]
fn await_reason(shop: &Shop, reason: &str) {
    soon(&format!("the reason is {reason}"), || (shop.decide("ann", "sale").reason == reason).then_some(()));
}

/// Lets the present pass a moment.
fn pass(at_ms: i64) {
    soon("a moment passes", || (at_ms < now()).then_some(()));
}

pub(crate) fn an_experiment_starts_and_ends_on_time(engine: Engine) {
    let shop = Shop::open(engine);
    let (start, end) = (now() + 1_500, now() + 3_500);
    let mut definition = experiment("sale", &["control", "b"]);
    definition["schedule"] = json!({"start_at": rfc3339(start), "end_at": rfc3339(end)});
    assert_eq!(shop.register(&definition)["status"], "draft");
    assert_eq!(shop.decide("ann", "sale").reason, "DISABLED");
    await_status(&shop, "running");
    assert!(start <= now(), "it did not start early");
    await_reason(&shop, "SPLIT");
    await_status(&shop, "concluded");
    assert!(end <= now(), "it did not end early");
    await_reason(&shop, "STATIC");
}

pub(crate) fn a_start_that_passed_while_the_server_was_down_is_made_up_for(engine: Engine) {
    let mut shop = Shop::open(engine);
    let start = now() + 2_000;
    let mut definition = experiment("sale", &["control", "b"]);
    definition["schedule"] = json!({"start_at": rfc3339(start)});
    shop.register(&definition);
    assert_eq!(shop.experiment("sale")["status"], "draft");
    shop.podium.kill9();
    pass(start);
    shop.restart();
    await_status(&shop, "running");
    await_reason(&shop, "SPLIT");
}

pub(crate) fn an_end_that_passed_while_the_server_was_down_is_made_up_for(engine: Engine) {
    let mut shop = Shop::open(engine);
    let end = now() + 2_000;
    let mut definition = experiment("sale", &["control", "b"]);
    definition["schedule"] = json!({"end_at": rfc3339(end)});
    assert_eq!(shop.run(&definition)["status"], "running");
    assert!(shop.podium.stop().success());
    pass(end);
    shop.restart();
    await_status(&shop, "concluded");
    await_reason(&shop, "STATIC");
    assert_eq!(shop.decide("ann", "sale").variant.as_deref(), Some("control"));
}
