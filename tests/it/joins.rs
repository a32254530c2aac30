//! What is known of a person follows their ids: into one profile, and apart again after a wrong join.

use crate::harness::events::{cancel, history, now, order, refund, rfc3339, track, viewed};
use crate::harness::{Book, Client, Engine, Profile, Random, Shop, experiment, named, profile as time};
use crate::profiles::{by_visitor, identify, known, login, profile, put};
use serde_json::{Value, json};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(who_logs_in_takes_everything_along));
    book.both(named!(a_wrong_join_is_taken_back_with_all_that_came_of_it));
    book.both(named!(any_order_of_joins_and_events_ends_in_one_person));
}

pub(crate) fn who_logs_in_takes_everything_along(engine: Engine) {
    let mut shop = Shop::open(engine);
    let at = history();
    let mut consented = by_visitor(track("phone", "Opted In", "opted-in", at, &json!({})));
    consented["context"] = json!({"consent": {"categoryPreferences": {"marketing": true}}});
    let viewed = json!({"product_id": "p-1", "category": "shoes"});
    shop.log(&[
        consented,
        by_visitor(track("phone", "Product Viewed", "view-1", at + 1, &viewed)),
        by_visitor(order("phone", "o-1", 1_000, at + 2)),
        by_visitor(put("phone", "boot", 1, "89.90", at + 3)),
        by_visitor(track("phone", "Experience Dismissed", "closed", at + 4, &json!({"flag": "popup"}))),
    ]);
    let before = known(&shop, "phone");
    assert_eq!(before["known"], false, "{before}");
    shop.log(&[login("ann", "phone", at + 5)]);
    let after = profile(&shop, "phone");
    assert_eq!((&after["person"], &after["ids"]), (&json!("ann"), &json!(["ann", "phone"])));
    let mut expected = before;
    expected["known"] = json!(true);
    expected["last_seen"] = after["last_seen"].clone();
    assert_eq!(known(&shop, "ann"), expected, "all that was known of the device");
    assert_eq!(known(&shop, "phone"), expected, "by either id");
    // A second device with a past of its own.
    shop.log(&[by_visitor(order("tablet", "o-2", 500, at + 1)), login("ann", "tablet", at + 6)]);
    let found = profile(&shop, "tablet");
    assert_eq!(found["ids"], json!(["ann", "phone", "tablet"]));
    assert_eq!((&found["orders"], &found["revenue"][0]["amount"]), (&json!(2), &json!(1_500)));
    shop.restart();
    assert_eq!(profile(&shop, "phone"), found, "after a restart too");
    shop.check_rebuild();
}

/// Units in the experiment, and what they brought.
fn counted(shop: &Shop) -> (u64, i64) {
    let report = shop.report("banner");
    let of = |variant| {
        let figure = report.figure("revenue_per_visitor", variant);
        (figure.units, figure.numerator)
    };
    let (control, b) = (of("control"), of("b"));
    (control.0 + b.0, control.1 + b.1)
}

pub(crate) fn a_wrong_join_is_taken_back_with_all_that_came_of_it(engine: Engine) {
    let mut shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b"]));
    let buyers =
        json!({"key": "buyers", "condition": {"profile": {"fact": "orders", "op": "gte", "value": 1}}});
    shop.admin.post("/api/v1/audiences", &buyers).expect(201);
    let at = history();
    shop.log(&[
        viewed("ann", "banner", "b", at),
        order("ann", "o-1", 1_000, at + 1),
        by_visitor(viewed("kiosk", "banner", "b", at)),
        by_visitor(order("kiosk", "o-2", 300, at + 2)),
        by_visitor(put("kiosk", "boot", 1, "89.90", at + 3)),
        identify("ann", 1, at + 4, &json!({"plan": "gold"})),
    ]);
    let (ann, kiosk) = (profile(&shop, "ann"), profile(&shop, "kiosk"));
    assert_eq!(counted(&shop), (2, 1_300));
    let size = |shop: &Shop| shop.admin.get("/api/v1/audiences/buyers").expect(200)["size"].clone();
    assert_eq!(size(&shop), 2);

    let join = |client: &Client| client.post("/api/v1/profiles/ann/aliases", &json!({"id": "kiosk"}));
    let joined = join(&shop.podium.client("server")).expect(200);
    assert_eq!(joined, json!({"person": "ann", "ids": ["ann", "kiosk"]}));
    let both = profile(&shop, "kiosk");
    assert_eq!((&both["orders"], &both["traits"]["plan"]), (&json!(2), &json!("gold")), "{both}");
    assert_eq!(both["cart"]["quantity"], 1, "{both}");
    assert_eq!((counted(&shop), size(&shop)), ((1, 1_300), json!(1)), "one visitor, with both orders");

    let part = |shop: &Shop| shop.admin.call("DELETE", "/api/v1/profiles/ann/aliases/kiosk", &[], None);
    part(&shop).expect(204);
    assert_eq!(part(&shop).problem(404).slug, "not-found", "there is nothing more to take back");
    let own = |shop: &Shop| {
        for (before, id) in [(&ann, "ann"), (&kiosk, "kiosk")] {
            let mut after = profile(shop, id);
            // The join was heard of ann, and into the audience the device came a second time.
            after["last_seen"] = before["last_seen"].clone();
            after["audiences"] = before["audiences"].clone();
            assert_eq!(&after, before, "{id} has what is its own");
        }
        assert_eq!((counted(shop), size(shop)), ((2, 1_300), json!(2)));
    };
    own(&shop);
    shop.restart();
    own(&shop);
    shop.log(&[by_visitor(order("kiosk", "o-3", 50, at + 5))]);
    assert_eq!(profile(&shop, "kiosk")["orders"], 2);
    assert_eq!(profile(&shop, "ann")["orders"], 1, "what the device does now is its own");
    shop.check_rebuild();

    shop.restart();
    shop.log(&[login("ann", "kiosk", now() + 1_000)]);
    assert_eq!(profile(&shop, "kiosk")["person"], "ann", "whoever logs in later is heard");
    assert_eq!(counted(&shop), (1, 1_350));
    shop.check_rebuild();
}

/// What one person did under three ids: views, a cart, orders told twice, taken back and late, traits, a login on each
/// device and an old name.
fn a_persons_life(who: &str, at: i64) -> Vec<Value> {
    let (phone, laptop) = (format!("{who}-phone"), format!("{who}-laptop"));
    let (user, old) = (format!("{who}-user"), format!("{who}-old"));
    let view = |unit: &str, nth: i64, category: &str| {
        let properties = json!({"product_id": format!("p-{nth}"), "category": category, "price": "9.90"});
        track(unit, "Product Viewed", &format!("{who}/view-{nth}"), at + nth, &properties)
    };
    let add = |unit: &str, nth: i64| {
        let properties = json!({"product_id": format!("p-{nth}"), "price": "9.90", "quantity": nth});
        track(unit, "Product Added", &format!("{who}/add-{nth}"), at + 100 + nth, &properties)
    };
    let order_id = |nth: i64| format!("{who}/o-{nth}");
    let mut again = by_visitor(order(&laptop, &order_id(1), 5_000, at + 201));
    again["messageId"] = json!(format!("{who}/told-again"));
    let alias = json!({"type": "alias", "userId": user, "previousId": old, "messageId": format!("{who}/alias"),
        "timestamp": rfc3339(at + 310)});
    vec![
        by_visitor(view(&phone, 1, "shoes")),
        by_visitor(view(&laptop, 2, "hats")),
        view(&user, 3, "shoes"),
        view(&old, 4, "shoes"),
        by_visitor(add(&phone, 1)),
        add(&user, 2),
        order(&user, &order_id(1), 5_000, at + 200),
        again,
        by_visitor(add(&laptop, 3)),
        order(&old, &order_id(2), 700, at + 150),
        refund(&old, &order_id(2), Some(200), at + 160),
        order(&user, &order_id(3), 900, at + 170),
        cancel(&user, &order_id(3), at + 180),
        identify(&user, 1, at + 300, &json!({"plan": "gold", "city": "Bonn"})),
        identify(&old, 2, at + 305, &json!({"plan": "silver"})),
        login(&user, &phone, at + 320),
        login(&user, &laptop, at + 330),
        alias,
    ]
}

pub(crate) fn any_order_of_joins_and_events_ends_in_one_person(engine: Engine) {
    let mut shop = Shop::open(engine);
    let body = json!({"key": "shoe-lovers", "condition": {"all": [
        {"event": {"name": "Product Viewed", "count": {"op": "gte", "value": 3}}},
        {"event": {"name": "Order Completed", "sum": {"property": "revenue", "op": "eq", "value": "55.00"}}},
    ]}});
    shop.admin.post("/api/v1/audiences", &body).expect(201);
    let n_orders = if time() == Profile::Full { 500 } else { 40 };
    let (at, mut random) = (history(), Random::new(5));
    let mut first = None;
    for nth in 0..n_orders {
        let who = format!("w{nth:03}");
        let mut life = a_persons_life(&who, at);
        for place in (1..life.len()).rev() {
            life.swap(place, random.below(place + 1));
        }
        while !life.is_empty() {
            let batch: Vec<Value> = life.drain(..life.len().min(random.below(6) + 1)).collect();
            shop.log(&batch);
        }
        let mut person = profile(&shop, &format!("{who}-laptop"));
        for audience in person["audiences"].as_array_mut().unwrap() {
            audience.as_object_mut().unwrap().remove("since");
        }
        let person = person.to_string().replace(&who, "w");
        assert_eq!(
            *first.get_or_insert_with(|| person.clone()),
            person,
            "{who} did the same in another order"
        );
    }
    let person: Value = serde_json::from_str(&first.unwrap()).unwrap();
    assert_eq!(person["ids"], json!(["w-laptop", "w-old", "w-phone", "w-user"]));
    assert_eq!(
        (&person["orders"], &person["traits"]),
        (&json!(2), &json!({"city": "Bonn", "plan": "silver"}))
    );
    assert_eq!(person["revenue"], json!([{"amount": 5_500, "currency": "USD"}]));
    assert_eq!(person["audiences"][0]["audience"], "shoe-lovers", "{person}");
    shop.check_rebuild();
}
