//! What is refused, where, and why; and what is read is written.

use super::*;
use proptest::prelude::*;
use std::hash::{DefaultHasher, Hash, Hasher};

fn leaf() -> Value {
    json!({ "profile": { "fact": "orders", "op": "gte", "value": 1 } })
}

fn nested(depth: usize) -> Value {
    (1..depth).fold(leaf(), |inner, _| json!({ "not": inner }))
}

/// Each malformed form, where its fault is, and part of what is said of it.
#[track_caller]
fn check_faults<const N: usize>(forms: [(Value, &str, &str); N]) {
    for (condition, pointer, detail) in forms {
        let faults = Condition::parse(&condition).expect_err(&condition.to_string());
        let is_it = |fault: &Fault| fault.pointer == pointer && fault.detail.contains(detail);
        assert!(faults.iter().any(is_it), "{condition}: {faults:?}");
    }
}

#[test]
fn a_malformed_tree_is_told_with_its_place_and_what_would_be_right() {
    let many: Vec<Value> = (0..NODES_MAX).map(|_| leaf()).collect();
    check_faults([
        (json!(null), "", "an object with one member"),
        (json!([]), "", "an object with one member"),
        (json!({}), "", "an object with one member"),
        (json!({ "all": [leaf()], "any": [leaf()] }), "", "an object with one member"),
        (json!({ "or": [] }), "/or", "one of all, any, not"),
        (json!({ "all": [] }), "/all", "at least one condition"),
        (json!({ "any": {} }), "/any", "at least one condition"),
        (json!({ "all": [leaf(), { "not": 7 }] }), "/all/1/not", "an object with one member"),
        (json!({ "a/b": 1 }), "/a~1b", "one of all"),
        (nested(9), "/not/not/not/not/not/not/not/not", "8 deep"),
        (json!({ "all": many }), "", "at most 200"),
        (json!({ "audience": "no key!" }), "/audience", "key of an audience"),
        (json!({ "audience": 7 }), "/audience", "key of an audience"),
        (json!({ "external": "erp.tier" }), "/external", "an object with source, field"),
        (json!({ "external": { "field": "tier", "op": "exists" } }), "/external/source", "key of a source"),
        (
            json!({ "external": { "source": "no key!", "field": "tier", "op": "exists" } }),
            "/external/source",
            "key of a source",
        ),
        (json!({ "external": { "source": "erp", "op": "exists" } }), "/external/field", "1 to 200"),
        (
            json!({ "external": { "source": "erp", "field": "tier", "op": "like" } }),
            "/external/op",
            "one of eq, ne",
        ),
    ]);
}

#[test]
fn a_malformed_test_is_told() {
    let of_trait = |op: Value, value: Value| json!({ "profile": { "trait": "x", "op": op, "value": value } });
    check_faults([
        (of_trait(json!("like"), json!("a")), "/profile/op", "one of eq, ne"),
        (of_trait(Value::Null, json!("a")), "/profile/op", "one of eq, ne"),
        (of_trait(json!("eq"), Value::Null), "/profile/value", "a text"),
        (of_trait(json!("eq"), json!([1])), "/profile/value", "a text"),
        (of_trait(json!("eq"), json!("a".repeat(1_001))), "/profile/value", "1000 characters"),
        (of_trait(json!("gt"), json!("many")), "/profile/value", "a number"),
        (of_trait(json!("gt"), json!("1,5")), "/profile/value", "a number"),
        (of_trait(json!("in"), json!("a")), "/profile/value", "a list"),
        (of_trait(json!("in"), json!([])), "/profile/value", "a list"),
        (of_trait(json!("in"), json!([{}])), "/profile/value", "a list"),
        (of_trait(json!("matches"), json!("(")), "/profile/value", "a regular expression"),
        (of_trait(json!("matches"), json!("(a)\\1")), "/profile/value", "back references"),
        (of_trait(json!("matches"), json!("(a{900}){900}")), "/profile/value", "simpler"),
        (of_trait(json!("exists"), json!(true)), "/profile/value", "takes no value"),
        (of_trait(json!("before"), json!("yesterday")), "/profile/value", "a time such as"),
        (of_trait(json!("before"), json!("2026-11-27")), "/profile/value", "a time such as"),
        (of_trait(json!("within"), json!("a while")), "/profile/value", "a span such as"),
        (of_trait(json!("within"), json!(30)), "/profile/value", "a span such as"),
    ]);
}

#[test]
fn a_malformed_fact_of_the_profile_is_told() {
    let fact =
        |fact: &str, op: &str, value: Value| json!({ "profile": { "fact": fact, "op": op, "value": value } });
    check_faults([
        (json!({ "profile": "gold" }), "/profile", "an object with trait, fact"),
        (json!({ "profile": { "op": "eq", "value": 1 } }), "/profile", "either `trait` or `fact`"),
        (
            json!({ "profile": { "trait": "a", "fact": "orders", "op": "eq", "value": 1 } }),
            "/profile",
            "either",
        ),
        (
            json!({ "profile": { "trait": "", "op": "eq", "value": 1 } }),
            "/profile/trait",
            "1 to 200 characters",
        ),
        (json!({ "profile": { "trait": "a", "op": "eq", "value": 1, "x": 1 } }), "/profile/x", "nothing"),
        (fact("age", "eq", json!(1)), "/profile/fact", "one of revenue, category_views, consent, known"),
        (fact("rfm_group", "eq", json!("champion")), "/profile/value", "one of champions, loyal"),
        (fact("rfm_group", "in", json!(["loyal", 5])), "/profile/value", "one of champions, loyal"),
        (fact("orders", "matches", json!("1")), "/profile/op", "one of eq"),
        (fact("orders", "eq", json!("one")), "/profile/value", "a number"),
        (fact("known", "eq", json!("yes")), "/profile/value", "true or false"),
        (fact("known", "gt", json!(true)), "/profile/op", "one of eq, ne"),
        (fact("last_order", "eq", json!("2026-11-27T00:00:00Z")), "/profile/op", "one of before"),
        (fact("category_views", "gt", json!(1)), "/profile/category", "1 to 200"),
        (fact("consent", "eq", json!(true)), "/profile/category", "1 to 200"),
        (
            json!({ "profile": { "fact": "revenue", "currency": "XXQ", "op": "eq", "value": 1 } }),
            "/profile/currency",
            "ISO 4217",
        ),
        (
            json!({ "profile": { "fact": "orders", "currency": "USD", "op": "eq", "value": 1 } }),
            "/profile/currency",
            "nothing",
        ),
    ]);
}

#[test]
fn a_malformed_condition_on_cart_and_context_is_told() {
    let cart =
        |field: &str, op: &str, value: Value| json!({ "cart": { "field": field, "op": op, "value": value } });
    check_faults([
        (cart("colour", "eq", json!(1)), "/cart/field", "one of value, quantity"),
        (cart("product", "ne", json!("p")), "/cart/op", "one of eq, in"),
        (cart("idle", "gte", json!(30)), "/cart/value", "a span such as"),
        (cart("idle", "within", json!("30m")), "/cart/op", "one of gt"),
        (cart("value", "gte", json!("lots")), "/cart/value", "a number"),
        (json!({ "context": { "op": "eq", "value": 1 } }), "/context/attribute", "1 to 200"),
        (
            json!({ "device": { "attribute": "type", "op": "eq", "value": 1 } }),
            "/device/attribute",
            "nothing",
        ),
        (json!({ "geo": { "field": 7, "op": "eq", "value": 1 } }), "/geo/field", "1 to 200"),
    ]);
}

#[test]
fn a_malformed_time_is_told() {
    let time = |members: Value| json!({ "time": members });
    check_faults([
        (time(json!({})), "/time", "either `after`"),
        (time(json!({ "after": "2026-11-27T00:00:00" })), "/time/after", "a time such as"),
        (time(json!({ "after": at(5).to_string(), "before": at(5).to_string() })), "/time/before", "later"),
        (time(json!({ "after": at(5).to_string(), "zone": "Europe/Berlin" })), "/time", "either"),
        (time(json!({ "zone": "Europe/Berlin" })), "/time/days", "a list of mon"),
        (time(json!({ "days": ["monday"], "zone": "UTC" })), "/time/days", "a list of mon"),
        (time(json!({ "days": [], "zone": "UTC" })), "/time/days", "a list of mon"),
        (time(json!({ "from": "9:00", "zone": "UTC" })), "/time/from", "\"09:00\""),
        (time(json!({ "from": "24:00", "zone": "UTC" })), "/time/from", "\"09:00\""),
        (time(json!({ "from": "09:00", "until": "09:00", "zone": "UTC" })), "/time/until", "another hour"),
        (time(json!({ "from": "09:00" })), "/time/zone", "IANA"),
        (time(json!({ "from": "09:00", "zone": "Europe/Bärlin" })), "/time/zone", "IANA"),
    ]);
}

#[test]
fn a_malformed_condition_on_past_events_is_told() {
    let event = |members: Value| json!({ "event": members });
    let count = |count: Value| event(json!({ "name": "page", "count": count }));
    check_faults([
        (event(json!({})), "/event/name", "1 to 200"),
        (event(json!({ "name": "$decision" })), "/event/name", "`$`"),
        (event(json!({ "name": "page", "count": {} , "sum": {} })), "/event", "one of `count`"),
        (event(json!({ "name": "page", "where": {} })), "/event/where", "a list"),
        (
            event(json!({ "name": "page", "where": [{ "op": "eq", "value": 1 }] })),
            "/event/where/0/property",
            "1 to 200",
        ),
        (
            event(json!({ "name": "page", "where": [{ "property": "p", "op": "is", "value": 1 }] })),
            "/event/where/0/op",
            "one of",
        ),
        (event(json!({ "name": "page", "within": "7" })), "/event/within", "a span"),
        (count(json!({ "op": "gte", "value": 1_001 })), "/event/count/value", "0 to 1000"),
        (count(json!({ "op": "gte", "value": 1.5 })), "/event/count/value", "0 to 1000"),
        (count(json!({ "op": "gte", "value": -1 })), "/event/count/value", "0 to 1000"),
        (count(json!({ "op": "in", "value": [1] })), "/event/count/op", "one of eq"),
        (count(json!(3)), "/event/count", "an object"),
        (
            event(json!({ "name": "page", "sum": { "op": "gte", "value": 1 } })),
            "/event/sum/property",
            "1 to 200",
        ),
        (
            event(
                json!({ "name": "page", "sum": { "property": "p", "op": "gte", "value": 1, "currency": "?" } }),
            ),
            "/event/sum/currency",
            "ISO 4217",
        ),
        (
            event(json!({ "name": "page", "last": { "op": "never", "value": 1 } })),
            "/event/last/op",
            "never without",
        ),
        (
            event(json!({ "name": "page", "last": { "op": "before", "value": "7d" } })),
            "/event/last/op",
            "one of within",
        ),
        (
            event(json!({ "name": "page", "last": { "op": "within", "value": "7d" }, "within": "7d" })),
            "/event/within",
            "span of its own",
        ),
    ]);
}

#[test]
fn all_faults_are_told_at_once() {
    let condition = json!({ "all": [
        { "profile": { "fact": "age", "op": "like", "value": 1 } },
        { "event": { "name": "", "within": "x", "where": [{ "op": "eq" }] } },
    ] });
    let faults = Condition::parse(&condition).unwrap_err();
    let pointers: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    for pointer in [
        "/all/0/profile/fact",
        "/all/0/profile/op",
        "/all/1/event/name",
        "/all/1/event/within",
        "/all/1/event/where/0/property",
        "/all/1/event/where/0/value",
    ] {
        assert!(pointers.contains(&pointer), "{pointer} in {pointers:?}");
    }
}

#[test]
fn limits_are_reached_and_not_passed() {
    assert!(Condition::parse(&nested(DEPTH_MAX)).is_ok());
    let full: Vec<Value> = (1..NODES_MAX).map(|_| leaf()).collect();
    assert!(Condition::parse(&json!({ "all": full })).is_ok());
}

#[test]
fn a_leaf_has_one_text_and_is_read_from_it() {
    let written = json!({ "name": "page", "count": { "op": "gte", "value": 1 } });
    let short = EventLeaf::parse(&json!({ "name": "page" })).unwrap();
    assert_eq!(short, EventLeaf::parse(&written).unwrap());
    assert_eq!(short.to_text(), r#"{"count":{"op":"gte","value":1},"name":"page"}"#);
    let full = json!({ "within": "7d", "name": "Order Completed",
        "where": [{ "value": "x", "property": "coupon", "op": "eq" }],
        "sum": { "value": "100", "property": "revenue", "currency": "eur", "op": "gte" } });
    let full = EventLeaf::parse(&full).unwrap();
    assert_eq!(
        full.to_text(),
        "{\"name\":\"Order Completed\",\"sum\":{\"currency\":\"EUR\",\"op\":\"gte\",\"property\":\"revenue\",\
         \"value\":\"100\"},\"where\":[{\"op\":\"eq\",\"property\":\"coupon\",\"value\":\"x\"}],\"within\":\"7d\"}"
    );
    let again = EventLeaf::parse(&serde_json::from_str(&full.to_text()).unwrap()).unwrap();
    let hash = |leaf: &EventLeaf| {
        let mut hasher = DefaultHasher::new();
        leaf.hash(&mut hasher);
        hasher.finish()
    };
    assert_eq!((&again, hash(&again)), (&full, hash(&full)));
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[a-z ]{0,6}".prop_map(Value::from),
        (-50..50_i64).prop_map(Value::from),
        (0..400_i64).prop_map(|quarters| Value::from(quarters as f64 / 4.0)),
        any::<bool>().prop_map(Value::from),
    ]
}

fn test_members() -> impl Strategy<Value = Value> {
    prop_oneof![
        (prop::sample::select(vec!["eq", "ne", "contains", "starts_with", "ends_with"]), scalar())
            .prop_map(|(op, value)| json!({ "op": op, "value": value })),
        (prop::sample::select(vec!["gt", "gte", "lt", "lte"]), -9..9_i64)
            .prop_map(|(op, value)| json!({ "op": op, "value": value })),
        (prop::sample::select(vec!["in", "not_in"]), prop::collection::vec(scalar(), 1..4))
            .prop_map(|(op, value)| json!({ "op": op, "value": value })),
        prop::sample::select(vec!["exists", "absent"]).prop_map(|op| json!({ "op": op })),
        (prop::sample::select(vec!["before", "after"]), 0..99_i64)
            .prop_map(|(op, second)| json!({ "op": op, "value": at(second).to_string() })),
        (
            prop::sample::select(vec!["within", "not_within"]),
            1..99_u32,
            prop::sample::select(vec!['s', 'm', 'h', 'd', 'w'])
        )
            .prop_map(|(op, count, unit)| json!({ "op": op, "value": format!("{count}{unit}") })),
        "[a-z]{1,3}[+*?]?".prop_map(|pattern| json!({ "op": "matches", "value": pattern })),
    ]
}

fn with(mut members: Value, name: &str, value: impl Into<Value>) -> Value {
    members[name] = value.into();
    members
}

fn any_leaf() -> impl Strategy<Value = Value> {
    let name = "[a-z.]{1,8}";
    prop_oneof![
        (name, test_members()).prop_map(|(name, test)| json!({ "profile": with(test, "trait", name) })),
        (name, test_members()).prop_map(|(name, test)| json!({ "context": with(test, "attribute", name) })),
        (name, test_members()).prop_map(|(name, test)| json!({ "geo": with(test, "field", name) })),
        (0..9_i64).prop_map(
            |n| json!({ "profile": { "fact": "revenue", "currency": "EUR", "op": "gte", "value": n } })
        ),
        name.prop_map(
            |name| json!({ "profile": { "fact": "consent", "category": name, "op": "eq", "value": true } })
        ),
        name.prop_map(|name| json!({ "cart": { "field": "product", "op": "eq", "value": name } })),
        (1..60_u32)
            .prop_map(|n| json!({ "cart": { "field": "idle", "op": "gte", "value": format!("{n}m") } })),
        (0..99_i64).prop_map(|second| json!({ "time": { "after": at(second).to_string() } })),
        (0..24_u32, 0..60_u32).prop_map(|(hour, minute)| json!({ "time": {
            "days": ["mon", "sun"], "from": format!("{hour:02}:{minute:02}"), "zone": "Asia/Tokyo" } })),
        (name, test_members(), 0..9_u32).prop_map(|(name, test, n)| json!({ "event": {
            "name": name, "where": [with(test, "property", name)], "count": { "op": "lt", "value": n },
            "within": "3d" } })),
        name.prop_map(|name| json!({ "event": { "name": name, "last": { "op": "never" } } })),
        name.prop_map(|name| json!({ "event": { "name": name,
            "sum": { "property": "a.b", "currency": "JPY", "op": "gte", "value": "10.5" } } })),
        "[a-z][a-z0-9-]{0,8}".prop_map(|key| json!({ "audience": key })),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    any_leaf().prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|list| json!({ "all": list })),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|list| json!({ "any": list })),
            inner.prop_map(|inner| json!({ "not": inner })),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_read_is_written_and_read_again(tree in tree()) {
        let condition = Condition::parse(&tree).unwrap();
        let written = condition.to_value();
        prop_assert_eq!(Condition::parse(&written).unwrap(), condition);
        prop_assert_eq!(serde_json::from_value::<Condition>(written.clone()).unwrap().to_value(), written);
    }

    #[test]
    fn no_json_makes_the_parser_panic(text in "[\\[\\]{}\":,a-z0-9 ]{0,60}", tree in tree(), cut in any::<prop::sample::Index>()) {
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            let _ = Condition::parse(&value);
        }
        // A tree in which some text was changed is refused with pointers that exist or could.
        let mut text = tree.to_string();
        let at = cut.index(text.len());
        if text.is_char_boundary(at) {
            text.insert(at, '0');
        }
        if let Ok(value) = serde_json::from_str::<Value>(&text)
            && let Err(faults) = Condition::parse(&value)
        {
            prop_assert!(faults.iter().all(|fault| fault.pointer.is_empty() || fault.pointer.starts_with('/')));
            prop_assert!(!faults.is_empty());
        }
    }
}
