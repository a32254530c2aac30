//! Each kind of condition.

use super::*;

/// Asks a condition of the same events at one time.
#[track_caller]
fn check(condition: Value, events: &[Arc<StoredEvent>], expected: bool) {
    let text = condition.to_string();
    assert_eq!(Ready::new(condition).holds(events, 1_000), expected, "{text}");
}

fn is_trait(op: &str, value: Value) -> Value {
    json!({ "profile": { "trait": "x", "op": op, "value": value } })
}

#[test]
fn viewed_shoes_three_times_in_seven_days_and_no_order_in_thirty() {
    let ready = Ready::new(json!({ "all": [
        { "event": { "name": "Product Viewed",
                     "where": [{ "property": "category", "op": "eq", "value": "shoes" }],
                     "count": { "op": "gte", "value": 3 }, "within": "7d" } },
        { "not": { "event": { "name": "Order Completed", "last": { "op": "within", "value": "30d" } } } },
    ] }));
    let view = |second| event("Product Viewed", second, json!({ "category": "shoes" }));
    let hats = event("Product Viewed", 50, json!({ "category": "hats" }));
    let mut events = vec![view(10), hats, view(100)];
    assert!(!ready.holds(&events, 100), "the second view");
    events.push(view(200));
    assert!(ready.holds(&events, 200), "the third view");

    let passed = at(10 + 7 * DAY_S);
    assert_eq!(ready.next_change(&events, 200), Some(passed));
    assert!(ready.holds(&events, 10 + 7 * DAY_S - 1));
    assert!(!ready.holds(&events, 10 + 7 * DAY_S), "the first view has left the window");
    assert_eq!(ready.next_change(&events, 10 + 7 * DAY_S), None, "and nothing brings it back but an event");

    events.push(event("Order Completed", 300, json!({ "order_id": "o", "revenue": 5 })));
    assert!(!ready.holds(&events, 300), "after the order");
    events.push(event("Order Cancelled", 310, json!({ "order_id": "o" })));
    assert!(ready.holds(&events, 320), "an order that was cancelled is none");
}

#[test]
fn an_order_thirty_days_ago_ends_by_itself() {
    let ready =
        Ready::new(json!({ "event": { "name": "Order Completed", "count": { "op": "eq", "value": 0 },
                                              "within": "30d" } }));
    let events = [event("Order Completed", 0, json!({ "order_id": "o", "revenue": 5 }))];
    assert!(!ready.holds(&events, 1));
    assert_eq!(ready.next_change(&events, 1), Some(at(30 * DAY_S)));
    assert!(ready.holds(&events, 30 * DAY_S));
}

#[test]
fn a_value_that_is_missing_satisfies_absent_and_nothing_else() {
    let nobody = &[];
    for (op, value) in [
        ("eq", json!("a")),
        ("ne", json!("a")),
        ("gt", json!(1)),
        ("lt", json!(1)),
        ("in", json!(["a"])),
        ("not_in", json!(["a"])),
        ("contains", json!("a")),
        ("matches", json!("a")),
        ("exists", Value::Null),
        ("before", json!("2030-01-01T00:00:00Z")),
        ("not_within", json!("1d")),
    ] {
        check(is_trait(op, value), nobody, false);
    }
    check(is_trait("absent", Value::Null), nobody, true);
    check(json!({ "not": is_trait("eq", json!("a")) }), nobody, true);
}

#[test]
fn traits_are_compared_as_clients_send_them() {
    let with = |value: Value| [event("identify", 0, json!({ "x": value }))];
    for (value, op, wanted, expected) in [
        (json!(7), "eq", json!("7"), true),
        (json!("7"), "eq", json!(7), true),
        (json!(7.0), "eq", json!(7), true),
        (json!("007"), "eq", json!(7), false),
        (json!(true), "eq", json!("true"), true),
        (json!("gold"), "ne", json!("silver"), true),
        (json!("gold"), "ne", json!("gold"), false),
        (json!("9.5"), "gt", json!(9), true),
        (json!("many"), "gt", json!(9), false),
        (json!(10), "lte", json!("10"), true),
        (json!(3), "in", json!(["2", "3"]), true),
        (json!("c"), "not_in", json!(["a", "b"]), true),
        (json!(["a", 7]), "contains", json!("7"), true),
        (json!("a long text"), "contains", json!("long"), true),
        (json!("a long text"), "starts_with", json!("a l"), true),
        (json!(4711), "ends_with", json!("11"), true),
        (json!("DE-10115"), "matches", json!("^DE-\\d{5}$"), true),
        (json!("a".repeat(4_096)), "matches", json!("a$"), true),
        (json!("a".repeat(4_097)), "matches", json!("a$"), false),
        (json!({ "a": 1 }), "eq", json!("a"), false),
        (Value::Null, "absent", Value::Null, true),
        (json!(""), "exists", Value::Null, true),
        (json!("2026-11-25"), "before", json!("2026-11-26T00:00:00Z"), true),
        (json!("2026-11-26T01:00:00+01:00"), "after", json!("2026-11-26T00:00:00Z"), true),
        (json!("2026-11-25T12:00:00Z"), "within", json!("1d"), true),
        (json!("2026-11-20T12:00:00Z"), "not_within", json!("1d"), true),
        (json!("soon"), "not_within", json!("1d"), false),
    ] {
        check(is_trait(op, wanted), &with(value), expected);
    }
    let nested = [event("identify", 0, json!({ "x": { "city": "Berlin" } }))];
    check(json!({ "profile": { "trait": "x.city", "op": "eq", "value": "Berlin" } }), &nested, true);
}

#[test]
fn facts_of_the_profile_are_compared_each_in_its_kind() {
    let consent = json!({ "known": true, "consent": { "categoryPreferences": { "ads": false } } });
    let events = [
        event_with("Product Viewed", 0, json!({ "product_id": "p", "category": "shoes" }), consent),
        event("Product List Viewed", 5, json!({ "category": "shoes" })),
        event("Order Completed", 10, json!({ "order_id": "a", "revenue": "89.90", "total": 100 })),
        event("Order Completed", 11, json!({ "order_id": "a", "revenue": "89.90", "total": 100 })),
        event("Order Completed", 20, json!({ "order_id": "b", "revenue": 10, "currency": "EUR" })),
        event("Order Refunded", 30, json!({ "order_id": "a", "total": 50 })),
    ];
    let fact = |members: Value| json!({ "profile": members });
    for (members, expected) in [
        (json!({ "fact": "known", "op": "eq", "value": true }), true),
        (json!({ "fact": "known", "op": "ne", "value": true }), false),
        (json!({ "fact": "orders", "op": "eq", "value": 2 }), true),
        (json!({ "fact": "orders", "op": "in", "value": [1, "2"] }), true),
        (json!({ "fact": "revenue", "op": "eq", "value": "44.95" }), true),
        (json!({ "fact": "revenue", "op": "gte", "value": 44.96 }), false),
        (json!({ "fact": "revenue", "currency": "EUR", "op": "eq", "value": 10 }), true),
        (json!({ "fact": "revenue", "currency": "JPY", "op": "eq", "value": 0 }), true),
        (json!({ "fact": "first_seen", "op": "before", "value": at(1).to_string() }), true),
        (json!({ "fact": "last_seen", "op": "within", "value": "970s" }), false),
        (json!({ "fact": "last_seen", "op": "within", "value": "971s" }), true),
        (json!({ "fact": "first_order", "op": "after", "value": at(10).to_string() }), true),
        (json!({ "fact": "last_order", "op": "not_within", "value": "980s" }), true),
        (json!({ "fact": "category_views", "category": "shoes", "op": "eq", "value": 2 }), true),
        (json!({ "fact": "category_views", "category": "hats", "op": "eq", "value": 0 }), true),
        (json!({ "fact": "consent", "category": "ads", "op": "eq", "value": false }), true),
        (json!({ "fact": "consent", "category": "news", "op": "absent" }), true),
        (json!({ "fact": "rfm", "op": "eq", "value": "515" }), true),
        (json!({ "fact": "rfm_recency", "op": "gte", "value": 5 }), true),
        (json!({ "fact": "rfm_frequency", "op": "gt", "value": 1 }), false),
        (json!({ "fact": "rfm_monetary", "op": "eq", "value": 5 }), true),
        (json!({ "fact": "rfm_group", "op": "in", "value": ["new", "loyal"] }), true),
    ] {
        check(fact(members), &events, expected);
    }
    check(fact(json!({ "fact": "rfm", "op": "absent" })), &[], true);
}

#[test]
fn the_cart_is_what_was_put_in_since_the_last_order() {
    let add = |second, id: &str, quantity: i64| {
        let line = json!({ "product_id": id, "quantity": quantity, "price": 9.99, "category": "shoes" });
        event("Product Added", second, line)
    };
    let events = [
        add(5, "old", 9),
        event("Order Completed", 10, json!({ "order_id": "a", "revenue": 1 })),
        add(20, "sku-1", 3),
        add(30, "sku-2", 1),
        event("Product Removed", 40, json!({ "product_id": "sku-1", "quantity": 1 })),
    ];
    let cart = |members: Value| json!({ "cart": members });
    for (members, expected) in [
        (json!({ "field": "value", "op": "eq", "value": "29.97" }), true),
        (json!({ "field": "value", "currency": "EUR", "op": "eq", "value": 0 }), true),
        (json!({ "field": "quantity", "op": "eq", "value": 3 }), true),
        (json!({ "field": "lines", "op": "gte", "value": 3 }), false),
        (json!({ "field": "product", "op": "eq", "value": "sku-2" }), true),
        (json!({ "field": "product", "op": "eq", "value": "old" }), false),
        (json!({ "field": "product", "op": "starts_with", "value": "sku" }), true),
        (json!({ "field": "category", "op": "in", "value": ["hats", "shoes"] }), true),
        (json!({ "field": "idle", "op": "gte", "value": "960s" }), true),
        (json!({ "field": "idle", "op": "gt", "value": "960s" }), false),
    ] {
        check(cart(members), &events, expected);
    }
    let idle = Ready::new(cart(json!({ "field": "idle", "op": "gte", "value": "1h" })));
    assert_eq!(idle.next_change(&events, 100), Some(at(40 + 3_600)));
    assert!(!idle.holds(&events, 40 + 3_599) && idle.holds(&events, 40 + 3_600));
    check(cart(json!({ "field": "idle", "op": "absent" })), &events[..2], true);
    check(cart(json!({ "field": "product", "op": "absent" })), &events[..2], true);
}

#[test]
fn the_context_is_read_nested_or_with_dots() {
    let device = Ready::new(json!({ "device": { "field": "type", "op": "eq", "value": "mobile" } }));
    let geo = Ready::new(json!({ "geo": { "field": "country", "op": "in", "value": ["DE", "AT"] } }));
    let whole = Ready::new(json!({ "context": { "attribute": "geo.country", "op": "eq", "value": "DE" } }));
    let nested = json!({ "device": { "type": "mobile" }, "geo": { "country": "DE" } });
    let dotted = json!({ "device.type": "mobile", "geo.country": "DE" });
    for context in [nested, dotted] {
        assert!(device.holds_in(&context) && geo.holds_in(&context) && whole.holds_in(&context), "{context}");
    }
    assert!(!device.holds_in(&Value::Null) && !device.holds_in(&json!({ "device": "mobile" })));
    assert!(device.condition.needs_context());
}

#[test]
fn an_absolute_time_begins_with_its_first_instant_and_ends_before_its_last() {
    let ready = Ready::new(json!({ "time": { "after": at(10).to_string(), "before": at(20).to_string() } }));
    let answers = [9, 10, 19, 20].map(|second| ready.holds(&[], second));
    assert_eq!(answers, [false, true, true, false]);
    let changes = [0, 10, 20].map(|second| ready.next_change(&[], second));
    assert_eq!(changes, [Some(at(10)), Some(at(20)), None]);
}

#[test]
fn hours_of_the_week_follow_the_zone_through_its_changes() {
    let offices = json!({ "time": { "days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00",
                                    "until": "17:00", "zone": "Europe/Berlin" } });
    let nights =
        json!({ "time": { "days": ["sat"], "from": "22:00", "until": "06:00", "zone": "Europe/Berlin" } });
    let sundays = json!({ "time": { "days": ["sun"], "zone": "America/New_York" } });
    let early = json!({ "time": { "from": "02:30", "until": "04:00", "zone": "Europe/Berlin" } });
    for (condition, now, expected, change) in [
        // A Thursday in winter: nine is eight in UTC.
        (&offices, "2026-11-26T07:59:59.999999Z", false, "2026-11-26T08:00:00Z"),
        (&offices, "2026-11-26T08:00:00Z", true, "2026-11-26T16:00:00Z"),
        // From Friday evening until Monday morning.
        (&offices, "2026-11-27T16:00:00Z", false, "2026-11-30T08:00:00Z"),
        // In summer it is seven.
        (&offices, "2026-07-01T07:00:00Z", true, "2026-07-01T15:00:00Z"),
        // The night from Saturday to Sunday on which the clock goes back is an hour longer.
        (&nights, "2026-10-24T20:00:00Z", true, "2026-10-25T05:00:00Z"),
        (&nights, "2026-10-25T20:00:00Z", false, "2026-10-31T21:00:00Z"),
        (&sundays, "2026-11-29T04:59:59Z", false, "2026-11-29T05:00:00Z"),
        (&sundays, "2026-11-29T05:00:00Z", true, "2026-11-30T05:00:00Z"),
        // Half past two does not come on the day on which the clock goes forward.
        (&early, "2026-03-29T01:29:59Z", false, "2026-03-29T01:30:00Z"),
        (&early, "2026-03-29T01:30:00Z", true, "2026-03-29T02:00:00Z"),
    ] {
        let ready = Ready::new(condition.clone());
        let now = Timestamp::parse(now).unwrap();
        let second = now.as_micros() / 1_000_000 - START_S;
        let now_is_whole = now == at(second);
        let holds =
            ready.ask(&[], &Value::Null, |shopper| ready.audiences.holds(&ready.condition, shopper, now));
        assert_eq!(holds, expected, "{condition} at {now}");
        let next = ready.next_change(&[], second);
        assert!(!now_is_whole || next == Timestamp::parse(change).ok(), "{condition} after {now}: {next:?}");
    }
}

#[test]
fn sums_and_last_times_of_events() {
    let spent = |op: &str, value: &str, within: Value| {
        let sum = json!({ "property": "revenue", "op": op, "value": value });
        json!({ "event": { "name": "Order Completed", "sum": sum, "within": within } })
    };
    let events = [
        event("Order Completed", 100, json!({ "order_id": "a", "total": 70, "shipping": 10 })),
        event("Order Completed", 200, json!({ "order_id": "b", "revenue": "50.50" })),
        event("Order Refunded", 300, json!({ "order_id": "a", "total": 35 })),
        event("Order Completed", 400, json!({ "order_id": "c", "revenue": 50, "currency": "EUR" })),
    ];
    check(spent("eq", "80.50", Value::Null), &events, true);
    check(spent("eq", "50.50", json!("900s")), &events, true);
    check(spent("eq", "80.50", json!("901s")), &events, true);
    let ready = Ready::new(spent("gte", "80.50", json!("900s")));
    assert_eq!(ready.next_change(&events, 900), Some(at(1_000)));

    let last = |last: Value| json!({ "event": { "name": "Order Completed", "last": last } });
    check(last(json!({ "op": "within", "value": "601s" })), &events, true);
    check(last(json!({ "op": "within", "value": "600s" })), &events, false);
    check(last(json!({ "op": "not_within", "value": "600s" })), &events, true);
    check(last(json!({ "op": "not_within", "value": "600s" })), &[], false);
    check(last(json!({ "op": "never" })), &[], true);
    check(last(json!({ "op": "never" })), &events, false);

    let quantity = json!({ "property": "quantity", "op": "gte", "value": 5 });
    let added = json!({ "event": { "name": "Product Added", "sum": quantity } });
    let adds = [2, 3].map(|n| event("Product Added", n, json!({ "product_id": "p", "quantity": n })));
    check(added.clone(), &adds, true);
    check(added, &adds[..1], false);
}

#[test]
fn events_stamped_ahead_count_from_then_on() {
    let ready = Ready::new(
        json!({ "event": { "name": "page", "count": { "op": "gte", "value": 2 }, "within": "1h" } }),
    );
    let events: Vec<_> = [10, 20, 130, 140, 150, 160].map(|second| event("page", second, json!({}))).into();
    assert!(ready.holds(&events, 20), "though four more are known already");
    assert!(!ready.holds(&events, 19));
    assert_eq!(ready.next_change(&events, 15), Some(at(20)));
}

#[test]
fn an_explanation_leaves_no_clause_out() {
    let views = json!({ "event": { "name": "page", "where": [{ "property": "path", "op": "eq", "value": "/sale" }],
                                   "count": { "op": "gte", "value": 2 }, "within": "7d" } });
    let ready = Ready::with(
        &[("gold", json!({ "profile": { "trait": "plan", "op": "eq", "value": "gold" } }))],
        json!({ "all": [{ "any": [{ "audience": "gold" }, views] }, { "not": { "cart": { "field": "lines", "op": "gt", "value": 0 } } }] }),
    );
    let events =
        [event("identify", 0, json!({ "plan": "silver" })), event("page", 1, json!({ "path": "/sale" }))];
    let clause = ready.explain(&events, 10);
    assert_eq!(clause.holds, Some(false));
    let found = |clause: &Clause| (clause.pointer.clone(), clause.holds, clause.found.clone());
    let at = |pointer: &str, holds, text: &str| (pointer.to_owned(), Some(holds), text.to_owned());
    assert_eq!(found(&clause), at("", false, "1 of 2"));
    let [any, not] = &clause.clauses[..] else { panic!("{clause:?}") };
    assert_eq!(found(any), at("/all/0", false, "0 of 2"));
    assert_eq!(found(&any.clauses[0]), at("/all/0/any/0", false, "not in it"));
    assert_eq!(found(&any.clauses[0].clauses[0]), at("", false, "\"silver\""));
    assert_eq!(any.clauses[0].clauses[0].wanted, "the trait `plan` is \"gold\"");
    assert_eq!(found(&any.clauses[1]), at("/all/0/any/1", false, "1"));
    assert_eq!(
        any.clauses[1].wanted,
        "the number of `page` where `path` is \"/sale\" is at least 2 in the last 7d"
    );
    assert_eq!(found(not), at("/all/1", true, "it does not hold"));
    assert_eq!(found(&not.clauses[0]), at("/all/1/not", false, "0"));
    let often = [1, 2, 3, 4].map(|second| event("page", second, json!({ "path": "/sale" })));
    let clause = ready.explain(&often, 10);
    let views = &clause.clauses[0].clauses[1];
    assert_eq!(found(views), at("/all/0/any/1", true, "3 or more"), "no more are counted");
}
