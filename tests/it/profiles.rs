//! What is known of a person: the same whatever came first, and each person's own again after a wrong join.

use crate::harness::events::{cancel, history, now, order, refund, rfc3339, track};
use crate::harness::{Book, Engine, Shop, named, soon};
use serde_json::{Value, json};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(the_newest_trait_wins_in_any_order_and_null_takes_it_away));
    book.both(named!(consent_is_what_was_said_last));
    book.both(named!(an_order_counts_once_whoever_says_so));
    book.both(named!(a_cart_is_what_came_in_since_it_was_emptied));
    book.both(named!(views_are_counted_by_category));
    book.both(named!(a_person_lists_their_audiences_and_moves));
    book.both(named!(customers_know_their_fifths_once_somebody_asks));
}

const HOUR_MS: i64 = 3_600_000;

pub(crate) fn profile(shop: &Shop, id: &str) -> Value {
    shop.admin.get(&format!("/api/v1/profiles/{id}")).expect(200)
}

/// What is known, without whose it is.
pub(crate) fn known(shop: &Shop, id: &str) -> Value {
    let mut profile = profile(shop, id);
    let members = profile.as_object_mut().unwrap();
    members.remove("person");
    members.remove("ids");
    profile
}

/// Makes an event one of an anonymous visitor.
pub(crate) fn by_visitor(mut event: Value) -> Value {
    let id = event.as_object_mut().unwrap().remove("userId").unwrap();
    event["anonymousId"] = id;
    event
}

pub(crate) fn identify(user: &str, nth: usize, at_ms: i64, traits: &Value) -> Value {
    json!({"type": "identify", "userId": user, "messageId": format!("{user}/traits-{nth}"),
        "timestamp": rfc3339(at_ms), "traits": traits})
}

pub(crate) fn login(user: &str, visitor: &str, at_ms: i64) -> Value {
    json!({"type": "identify", "userId": user, "anonymousId": visitor,
        "messageId": format!("{user}/{visitor}/login-{at_ms}"), "timestamp": rfc3339(at_ms)})
}

/// Every order of the numbers below `n`.
fn orders_of(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let insert = |rest: Vec<usize>| {
        (0..n).map(move |place| {
            let mut order = rest.clone();
            order.insert(place, n - 1);
            order
        })
    };
    orders_of(n - 1).into_iter().flat_map(insert).collect()
}

pub(crate) fn the_newest_trait_wins_in_any_order_and_null_takes_it_away(engine: Engine) {
    let mut shop = Shop::open(engine);
    let at = history();
    let said = [
        json!({"plan": "free", "phone": "1", "city": "Bonn"}),
        json!({"plan": "silver", "phone": null}),
        json!({"plan": "gold", "address": {"country": "DE", "zip": null}}),
        // At the same instant as the one before: the larger message id counts.
        json!({"plan": "platinum"}),
    ];
    let times = [at, at + 1_000, at + 2_000, at + 2_000];
    let expected = json!({"plan": "platinum", "city": "Bonn", "address": {"country": "DE", "zip": null}});
    for (idx, order) in orders_of(said.len()).into_iter().enumerate() {
        let user = format!("user-{idx}");
        let events = order.iter().map(|nth| identify(&user, *nth, times[*nth], &said[*nth]));
        let events: Vec<Value> = events.collect();
        if idx % 2 == 0 {
            shop.log(&events);
        } else {
            for event in &events {
                shop.log(std::slice::from_ref(event));
            }
        }
        let found = profile(&shop, &user);
        assert_eq!(found["traits"], expected, "{order:?}");
        assert_eq!(found["first_seen"].as_str().map(millis), Some(at), "{order:?}");
        assert_eq!(found["last_seen"].as_str().map(millis), Some(at + 2_000), "{order:?}");
        assert_eq!(found["known"], true);
    }
    shop.restart();
    assert_eq!(profile(&shop, "user-23")["traits"], expected, "after a restart too");
    shop.check_rebuild();
}

fn millis(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

pub(crate) fn consent_is_what_was_said_last(engine: Engine) {
    let mut shop = Shop::open(engine);
    let said = |user: &str, nth: i64, preferences: Value| {
        let mut event = track(user, "Consent Given", &format!("{user}/{nth}"), history() + nth, &json!({}));
        event["context"] = json!({"consent": {"categoryPreferences": preferences}});
        event
    };
    for (user, order) in [("ann", [0, 1, 2]), ("bob", [2, 1, 0]), ("cem", [1, 2, 0])] {
        for nth in order {
            let preferences = match nth {
                0 => json!({"marketing": true, "ads": false, "odd": "yes"}),
                1 => json!({"marketing": false}),
                _ => json!({"ads": true}),
            };
            shop.log(&[said(user, nth, preferences)]);
        }
        assert_eq!(profile(&shop, user)["consent"], json!({"ads": true, "marketing": false}), "{user}");
    }
    let agreed =
        json!({"condition": {"profile": {"fact": "consent", "category": "ads", "op": "eq", "value": true}}});
    assert_eq!(shop.admin.post("/api/v1/audiences/preview", &agreed).expect(200)["size"], 3);
    shop.check_rebuild();
}

pub(crate) fn an_order_counts_once_whoever_says_so(engine: Engine) {
    let mut shop = Shop::open(engine);
    let page = shop.podium.client("publishable");
    let by_page = |events: &[Value]| page.post("/api/v1/events", &json!({"batch": events})).expect(200);
    let at = history();
    let sized = |user: &str, nth: i64, cents: i64, currency: &str| {
        let mut event = order(user, &format!("{user}-{nth}"), cents, at + nth * HOUR_MS);
        event["properties"]["total"] = event["properties"]["revenue"].clone();
        event["properties"]["currency"] = json!(currency);
        event
    };
    let named = |mut event: Value, message_id: &str| {
        let user = event["userId"].as_str().unwrap().to_owned();
        event["messageId"] = json!(format!("{user}/{message_id}"));
        event
    };
    // A page said 100; the shop's server says 90 of the same order, twice.
    let browser = |user: &str| named(sized(user, 1, 10_000, "USD"), "by-page");
    let server = |user: &str| {
        vec![
            sized(user, 1, 9_000, "USD"),
            named(sized(user, 1, 9_000, "USD"), "again"),
            sized(user, 2, 5_000, "USD"),
            refund(user, &format!("{user}-2"), Some(2_000), at + 9 * HOUR_MS),
            sized(user, 3, 7_000, "USD"),
            cancel(user, &format!("{user}-3"), at + 4 * HOUR_MS),
            sized(user, 4, 4_200, "EUR"),
        ]
    };
    by_page(&[browser("ann")]);
    assert_eq!(profile(&shop, "ann")["revenue"], json!([{"amount": 10_000, "currency": "USD"}]));
    for event in server("ann") {
        shop.log(&[event]);
    }
    // The other way round, and the page last.
    let mut backwards = server("bob");
    backwards.reverse();
    for event in backwards {
        shop.log(&[event]);
    }
    by_page(&[browser("bob")]);
    shop.log(&server("cem"));
    by_page(&[browser("cem")]);
    for user in ["ann", "bob", "cem"] {
        let found = profile(&shop, user);
        assert_eq!(found["orders"], 3, "{user}: {found}");
        let revenue = json!([{"amount": 4_200, "currency": "EUR"}, {"amount": 12_000, "currency": "USD"}]);
        assert_eq!(found["revenue"], revenue, "{user}: {found}");
        assert_eq!(found["first_order"].as_str().map(millis), Some(at + HOUR_MS), "{user}: {found}");
        assert_eq!(found["last_order"].as_str().map(millis), Some(at + 4 * HOUR_MS), "{user}: {found}");
    }
    let receipt = shop.send(&server("ann"));
    assert_eq!((receipt.accepted, receipt.duplicate), (0, 7), "a message counts once");
    assert_eq!(known(&shop, "ann"), known(&shop, "bob"));
    shop.restart();
    assert_eq!(known(&shop, "ann"), known(&shop, "cem"));
    shop.check_rebuild();
}

/// What goes into a cart.
pub(crate) fn put(user: &str, product: &str, quantity: u32, price: &str, at_ms: i64) -> Value {
    let properties = json!({"product_id": product, "name": product.to_uppercase(), "category": "shoes",
        "quantity": quantity, "price": price, "currency": "USD"});
    track(user, "Product Added", &format!("{user}/{product}/in-{at_ms}"), at_ms, &properties)
}

fn take(user: &str, product: &str, quantity: Option<u32>, at_ms: i64) -> Value {
    let mut properties = json!({"product_id": product});
    if let Some(quantity) = quantity {
        properties["quantity"] = json!(quantity);
    }
    track(user, "Product Removed", &format!("{user}/{product}/out-{at_ms}"), at_ms, &properties)
}

pub(crate) fn a_cart_is_what_came_in_since_it_was_emptied(engine: Engine) {
    let mut shop = Shop::open(engine);
    let at = history();
    let cart = |shop: &Shop| profile(shop, "ann")["cart"].clone();
    let line = |product: &str, quantity: u32, cents: i64| {
        json!({"product": product, "name": product.to_uppercase(), "category": "shoes", "quantity": quantity,
            "price": {"amount": cents, "currency": "USD"}})
    };
    shop.log(&[put("ann", "boot", 2, "89.90", at + 1), put("ann", "lace", 3, "4.50", at + 2)]);
    shop.log(&[take("ann", "lace", Some(1), at + 3), put("ann", "boot", 1, "79.90", at + 4)]);
    let found = cart(&shop);
    assert_eq!(
        found["lines"],
        json!([line("boot", 3, 7_990), line("lace", 2, 450)]),
        "the last price counts"
    );
    assert_eq!(found["value"], json!([{"amount": 3 * 7_990 + 2 * 450, "currency": "USD"}]));
    assert_eq!((&found["quantity"], found["updated_at"].as_str().map(millis)), (&json!(5), Some(at + 4)));
    // An order that comes late empties what was in the cart when it was placed.
    shop.log(&[order("ann", "o-1", 17_980, at + 3)]);
    assert_eq!(cart(&shop)["lines"], json!([line("boot", 1, 7_990)]), "what came after it stays");
    shop.log(&[take("ann", "boot", None, at + 6), put("ann", "sock", 1, "3.00", at + 5)]);
    assert_eq!(cart(&shop)["lines"], json!([line("sock", 1, 300)]));
    let idle = json!({"unit": "ann"});
    shop.admin
        .post(
            "/api/v1/audiences",
            &json!({"key": "full", "condition": {"cart": {"field": "value", "op": "gt", "value": "2.99"}}}),
        )
        .expect(201);
    assert_eq!(shop.admin.post("/api/v1/audiences/full/explain", &idle).expect(200)["holds"], true);
    shop.log(&[track("ann", "Cart Cleared", "cleared", at + 7, &json!({}))]);
    let found = cart(&shop);
    assert_eq!((&found["lines"], &found["value"], &found["quantity"]), (&json!([]), &json!([]), &json!(0)));
    assert_eq!(shop.admin.post("/api/v1/audiences/full/explain", &idle).expect(200)["holds"], false);
    shop.check_rebuild();
}

pub(crate) fn views_are_counted_by_category(engine: Engine) {
    let mut shop = Shop::open(engine);
    let at = history();
    let seen = |event: &str, nth: i64, properties: Value| {
        track("ann", event, &format!("seen-{nth}"), at + nth, &properties)
    };
    shop.log(&[
        seen("Product Viewed", 3, json!({"product_id": "p-3", "name": "Boot", "category": "shoes"})),
        seen("Product Viewed", 1, json!({"sku": "s-1", "category": "hats"})),
        seen("Product List Viewed", 2, json!({"category": "shoes"})),
        seen("Experience Dismissed", 4, json!({"flag": "popup"})),
    ]);
    let found = profile(&shop, "ann");
    let categories = found["categories"].as_object().unwrap().iter();
    let views: Vec<_> = categories
        .map(|(name, of)| {
            (name.as_str(), of["views"].clone(), millis(of["last_viewed_at"].as_str().unwrap()))
        })
        .collect();
    assert_eq!(views, [("hats", json!(1), at + 1), ("shoes", json!(2), at + 3)]);
    let last = &found["last_viewed"];
    assert_eq!(
        (&last["product"], &last["name"], &last["category"]),
        (&json!("p-3"), &json!("Boot"), &json!("shoes"))
    );
    assert_eq!(found["dismissed"]["popup"].as_str().map(millis), Some(at + 4), "{found}");
    shop.check_rebuild();
}

pub(crate) fn a_person_lists_their_audiences_and_moves(engine: Engine) {
    let mut shop = Shop::open(engine);
    let make = |key: &str, condition: &Value| {
        shop.admin.post("/api/v1/audiences", &json!({"key": key, "condition": condition})).expect(201)
    };
    make("viewers", &json!({"event": {"name": "Product Viewed"}}));
    make("buyers", &json!({"profile": {"fact": "orders", "op": "gte", "value": 1}}));
    make("shy", &json!({"not": {"audience": "buyers"}}));
    make("phones", &json!({"device": {"field": "type", "op": "eq", "value": "mobile"}}));
    let began = now();
    shop.log(&[track("ann", "Product Viewed", "v-1", now(), &json!({}))]);
    shop.log(&[track("bob", "Product Viewed", "v-2", now(), &json!({}))]);
    shop.log(&[order("ann", "o-1", 100, now())]);
    let memberships = |shop: &Shop, id: &str| {
        let found = profile(shop, id);
        let all = found["audiences"].as_array().unwrap().iter();
        all.map(|one| {
            assert!((began..=now()).contains(&millis(one["since"].as_str().unwrap())), "{one}");
            one["audience"].as_str().unwrap().to_owned()
        })
        .collect::<Vec<_>>()
    };
    assert_eq!(memberships(&shop, "ann"), ["buyers", "viewers"]);
    assert_eq!(memberships(&shop, "bob"), ["shy", "viewers"]);

    let moves = |shop: &Shop, query: &str| {
        let (mut path, mut found) = (format!("/api/v1/profiles/ann/moves{query}"), Vec::new());
        loop {
            let answer = shop.admin.get(&path);
            let next = answer
                .header("link")
                .map(|link| link.strip_prefix('<').unwrap().split_once('>').unwrap().0.to_owned());
            let page = answer.expect(200);
            assert_eq!(next.is_some(), !page["next_cursor"].is_null(), "{page}");
            for one in page["data"].as_array().unwrap() {
                assert_eq!(one["person"], "ann");
                found.push(format!(
                    "{} {}",
                    one["move"].as_str().unwrap(),
                    one["audience"].as_str().unwrap()
                ));
            }
            let Some(next) = next else { return found };
            path = next;
        }
    };
    let mut all = moves(&shop, "");
    assert_eq!(moves(&shop, "?limit=1"), all, "page by page");
    let newest: std::collections::BTreeSet<String> = all.drain(..2).collect();
    assert_eq!(newest, ["entered buyers", "left shy"].map(str::to_owned).into(), "the newest first");
    all.sort();
    assert_eq!(all, ["entered shy", "entered viewers"]);
    assert_eq!(shop.admin.get("/api/v1/profiles/nobody/moves").expect(200)["data"], json!([]));

    shop.admin.edit("DELETE", "/api/v1/audiences/shy", "*", None).expect(204);
    assert_eq!(memberships(&shop, "bob"), ["viewers"], "what is gone is not shown");
    assert_eq!(moves(&shop, "").len(), 2, "an audience takes its moves along");
    shop.check_rebuild();
}

pub(crate) fn customers_know_their_fifths_once_somebody_asks(engine: Engine) {
    let shop = Shop::open(engine);
    let at = history();
    for customer in 0..5_i64 {
        let user = format!("customer-{customer}");
        let orders: Vec<Value> = (0..=customer)
            .map(|nth| {
                order(&user, &format!("{user}-{nth}"), 1_000 * (customer + 1), at + customer * HOUR_MS + nth)
            })
            .collect();
        shop.log(&orders);
    }
    assert_eq!(profile(&shop, "customer-4")["rfm"], Value::Null, "nobody asked");
    let best = json!({"key": "best", "condition": {"profile": {"fact": "rfm_group", "op": "eq", "value": "champions"}}});
    shop.admin.post("/api/v1/audiences", &best).expect(201);
    let rfm = soon("customers are cut into fifths", || {
        let rfm = profile(&shop, "customer-4")["rfm"].clone();
        (!rfm.is_null()).then_some(rfm)
    });
    assert_eq!(rfm, json!({"score": 555, "recency": 5, "frequency": 5, "monetary": 5, "group": "champions"}));
    assert_eq!(profile(&shop, "customer-0")["rfm"]["score"], 111);
    soon("the best one is in", || {
        (profile(&shop, "customer-4")["audiences"][0]["audience"] == "best").then_some(())
    });
    shop.log(&[track("visitor", "Product Viewed", "v", now(), &json!({}))]);
    assert_eq!(profile(&shop, "visitor")["rfm"], Value::Null, "who bought nothing has no scores");
}
