//! Which ids are one person, and that nobody is counted twice or shown something else for it.

use crate::harness::events::{history, now, order, rfc3339, viewed};
use crate::harness::{Book, Client, Engine, Shop, experiment, named};
use serde_json::{Value, json};

const KEY: &str = "banner";

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(who_logs_in_keeps_the_variant_and_counts_once));
    book.both(named!(two_ids_with_variants_of_their_own_keep_them_and_count_in_neither));
    book.both(named!(two_users_are_joined_by_a_server_and_by_nobody_else));
    book.both(named!(a_device_that_changes_hands_stays_with_its_first_user));
    book.both(named!(an_id_that_turns_out_to_be_a_users_is_let_go));
    book.both(named!(events_beside_a_join_are_all_counted));
}

/// An event of an anonymous visitor, of a user, or of both.
fn event(kind: &str, ids: &Value, message_id: &str, at_ms: i64) -> Value {
    let mut event = json!({"type": kind, "messageId": message_id, "timestamp": rfc3339(at_ms)});
    if kind == "track" {
        event["event"] = json!("Product Viewed");
    }
    for (name, id) in ids.as_object().unwrap() {
        event[name] = id.clone();
    }
    event
}

fn identify(user: &str, anonymous: &str, at_ms: i64) -> Value {
    let ids = json!({"userId": user, "anonymousId": anonymous});
    event("identify", &ids, &format!("{user}/{anonymous}/{at_ms}"), at_ms)
}

fn alias(user: &str, previous: &str) -> Value {
    let ids = json!({"userId": user, "previousId": previous});
    event("alias", &ids, &format!("alias/{user}/{previous}"), now())
}

fn send(client: &Client, events: &[Value]) -> Value {
    client.post("/api/v1/events", &json!({"batch": events})).expect(200)
}

/// An order of an anonymous visitor.
fn anonymous_order(anonymous: &str, order_id: &str, cents: i64, at_ms: i64) -> Value {
    let mut event = order("", order_id, cents, at_ms);
    event["userId"] = Value::Null;
    event["anonymousId"] = json!(anonymous);
    event
}

/// Units in all variants, and what they brought.
fn counted(shop: &Shop) -> (u64, i64) {
    let report = shop.report(KEY);
    let of = |variant| {
        let figure = report.figure("revenue_per_visitor", variant);
        (figure.units, figure.numerator)
    };
    let (control, b) = (of("control"), of("b"));
    (control.0 + b.0, control.1 + b.1)
}

fn shop(engine: Engine) -> Shop {
    let shop = Shop::open(engine);
    shop.run(&experiment(KEY, &["control", "b"]));
    shop
}

pub(crate) fn who_logs_in_keeps_the_variant_and_counts_once(engine: Engine) {
    let mut shop = shop(engine);
    let visitors: Vec<String> = (0..40).map(|idx| format!("visitor-{idx}")).collect();
    let before: Vec<_> = shop.decide_all(&visitors, KEY).into_iter().map(|it| it.variant).collect();
    for (idx, visitor) in visitors.iter().enumerate() {
        let user = format!("user-{idx}");
        shop.log(&[anonymous_order(visitor, &format!("o-{idx}"), 1_000, now())]);
        shop.log(&[identify(&user, visitor, now())]);
        shop.log(&[order(&user, &format!("later-{idx}"), 500, now())]);
        assert_eq!(shop.decide(&user, KEY).variant, before[idx], "{user} goes on with it");
        assert_eq!(shop.decide(visitor, KEY).variant, before[idx], "and so does the device");
    }
    assert_eq!(counted(&shop), (40, 40 * 1_500), "each once, with what came before and after");
    shop.restart();
    let users: Vec<String> = (0..40).map(|idx| format!("user-{idx}")).collect();
    let after: Vec<_> = shop.decide_all(&users, KEY).into_iter().map(|it| it.variant).collect();
    assert_eq!(after, before, "after a restart too");
    assert_eq!(counted(&shop), (40, 40 * 1_500));
    shop.check_rebuild();
}

pub(crate) fn two_ids_with_variants_of_their_own_keep_them_and_count_in_neither(engine: Engine) {
    let mut shop = shop(engine);
    let got = |shop: &Shop, unit: &str| shop.decide(unit, KEY).variant.unwrap();
    let names = |prefix: &str| (0..60).map(|idx| format!("{prefix}-{idx}")).collect::<Vec<_>>();
    let first = |prefix: &str, variant: &str| {
        names(prefix).into_iter().find(|unit| got(&shop, unit) == variant).unwrap()
    };
    let (user, visitor) = (first("user", "control"), first("visitor", "b"));
    // Decisions are on disk once something after them is.
    shop.log(&[event("track", &json!({"anonymousId": "other"}), "after-the-decisions", now())]);
    let seen = counted(&shop).0;
    shop.log(&[identify(&user, &visitor, now())]);
    assert_eq!(counted(&shop).0, seen - 2, "both were counted and neither is");
    for _ in 0..2 {
        assert_eq!(got(&shop, &user), "control");
        assert_eq!(got(&shop, &visitor), "b", "nobody sees another page for having logged in");
        shop.restart();
    }
    shop.check_rebuild();
}

pub(crate) fn two_users_are_joined_by_a_server_and_by_nobody_else(engine: Engine) {
    let mut shop = shop(engine);
    let page = shop.podium.client("publishable");
    let at = history();
    let of = |user: &str, order_id: &str| [viewed(user, KEY, "b", at), order(user, order_id, 700, at + 1)];
    shop.log(&[of("ann", "o-1"), of("anne", "o-2")].concat());
    send(&page, &[alias("anne", "ann")]);
    assert_eq!(counted(&shop), (2, 1_400), "a page cannot");
    let rejected = shop.admin.get("/api/v1/events?status=rejected").expect(200);
    assert_eq!(rejected["data"][0]["reason"], "merge_refused", "{rejected}");
    let ids = json!({"userId": "anne", "anonymousId": "ann"});
    shop.log(&[event("identify", &ids, "seen-together", now())]);
    assert_eq!(counted(&shop), (2, 1_400), "nor does a server without saying so on purpose");
    let mut by_server = alias("anne", "ann");
    by_server["messageId"] = json!("by-server");
    shop.log(&[by_server]);
    assert_eq!(counted(&shop), (1, 1_400));
    shop.log(&[order("ann", "o-3", 100, at + 2)]);
    assert_eq!(counted(&shop), (1, 1_500), "the old name leads to the same person");
    shop.check_rebuild();
}

pub(crate) fn a_device_that_changes_hands_stays_with_its_first_user(engine: Engine) {
    let mut shop = shop(engine);
    let at = history();
    shop.log(&[viewed("ann", KEY, "b", at), viewed("bob", KEY, "b", at)]);
    shop.log(&[identify("bob", "tablet", at + 20), identify("ann", "tablet", at + 10)]);
    shop.log(&[anonymous_order("tablet", "o-1", 900, at + 30)]);
    assert_eq!(counted(&shop), (2, 900));
    let profile = |id: &str| shop.admin.get(&format!("/api/v1/profiles/{id}")).expect(200);
    assert_eq!(profile("tablet")["person"], "ann", "she was first, though it was told later");
    assert_eq!(profile("bob")["ids"], json!(["bob"]));
    shop.check_rebuild();
}

pub(crate) fn an_id_that_turns_out_to_be_a_users_is_let_go(engine: Engine) {
    let mut shop = shop(engine);
    let at = history();
    shop.log(&[viewed("ann", KEY, "b", at), identify("ann", "x-1", at + 1)]);
    let ids = json!({"anonymousId": "x-1"});
    shop.log(&[event("track", &ids, "early", at + 2)]);
    shop.log(&[order("x-1", "o-1", 300, at + 3)]);
    assert_eq!(counted(&shop), (1, 0), "the order is another user's");
    shop.check_rebuild();
}

pub(crate) fn events_beside_a_join_are_all_counted(engine: Engine) {
    let mut shop = shop(engine);
    let at = history();
    shop.log(&[viewed("ann", KEY, "b", at)]);
    std::thread::scope(|scope| {
        for sender in 0..10 {
            let shop = &shop;
            scope.spawn(move || {
                for nth in 0..10 {
                    let id = format!("o-{sender}-{nth}");
                    let event = match nth % 2 {
                        0 => anonymous_order("phone", &id, 10, at + 1),
                        _ => order("ann", &id, 10, at + 1),
                    };
                    shop.log(&[event]);
                }
            });
        }
        scope.spawn(|| shop.log(&[identify("ann", "phone", at + 1)]));
    });
    assert_eq!(counted(&shop), (1, 1_000), "a hundred orders of one visitor");
    shop.check_rebuild();
}
