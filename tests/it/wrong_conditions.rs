//! A condition that cannot mean what it says is refused wherever it stands.

use crate::harness::{Book, Engine, Expected, Faults, Shop, at, named, of_kind};
use crate::wrong_audiences::{AUDIENCES, VIPS, make, open, vips};
use serde_json::{Value, json};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(a_malformed_condition_is_told_where));
    book.both(named!(a_condition_has_limits));
    book.both(named!(audiences_lead_in_no_circle));
}

/// Conditions that cannot mean what they say, each with where.
fn malformed() -> Vec<(Value, &'static str)> {
    [malformed_trees(), malformed_profiles(), malformed_requests(), malformed_events()].concat()
}

fn malformed_trees() -> Vec<(Value, &'static str)> {
    vec![
        (json!(null), ""),
        (json!([]), ""),
        (json!({}), ""),
        (json!("vips"), ""),
        (json!({"all": [vips()], "any": [vips()]}), ""),
        (json!({"nonsense": 1}), "/nonsense"),
        (json!({"a/b~c": 1}), "/a~1b~0c"),
        (json!({"all": []}), "/all"),
        (json!({"any": {}}), "/any"),
        (json!({"all": [vips(), 7]}), "/all/1"),
        (json!({"any": [vips(), {"not": {"all": [{"no": 1}]}}]}), "/any/1/not/all/0/no"),
        (json!({"not": []}), "/not"),
        (json!({"audience": 7}), "/audience"),
        (json!({"audience": "two words"}), "/audience"),
        (json!({"all": [{"audience": "nobody-made-it"}]}), "/all/0/audience"),
    ]
}

fn malformed_profiles() -> Vec<(Value, &'static str)> {
    vec![
        (json!({"profile": 7}), "/profile"),
        (json!({"profile": {"op": "eq", "value": 1}}), "/profile"),
        (json!({"profile": {"trait": "a", "fact": "orders", "op": "eq", "value": 1}}), "/profile"),
        (json!({"profile": {"trait": "", "op": "eq", "value": 1}}), "/profile/trait"),
        (json!({"profile": {"trait": "a", "op": "like", "value": 1}}), "/profile/op"),
        (json!({"profile": {"trait": "a", "value": 1}}), "/profile/op"),
        (json!({"profile": {"trait": "a", "op": "eq"}}), "/profile/value"),
        (json!({"profile": {"trait": "a", "op": "eq", "value": {}}}), "/profile/value"),
        (json!({"profile": {"trait": "a", "op": "eq", "value": 1, "more": 1}}), "/profile/more"),
        (json!({"profile": {"trait": "a", "op": "gt", "value": "much"}}), "/profile/value"),
        (json!({"profile": {"trait": "a", "op": "in", "value": []}}), "/profile/value"),
        (json!({"profile": {"trait": "a", "op": "in", "value": "x"}}), "/profile/value"),
        (json!({"profile": {"trait": "a", "op": "exists", "value": 1}}), "/profile/value"),
        (json!({"profile": {"trait": "a", "op": "matches", "value": "("}}), "/profile/value"),
        (json!({"profile": {"trait": "a", "op": "matches", "value": "(?=a)"}}), "/profile/value"),
        (json!({"profile": {"trait": "a", "op": "matches", "value": "((a{99}){99}){99}"}}), "/profile/value"),
        (json!({"profile": {"trait": "a", "op": "before", "value": "today"}}), "/profile/value"),
        (json!({"profile": {"trait": "a", "op": "within", "value": "soon"}}), "/profile/value"),
        (json!({"profile": {"trait": "a", "op": "within", "value": "0d"}}), "/profile/value"),
        (json!({"profile": {"trait": "a", "op": "within", "value": "3651d"}}), "/profile/value"),
        (json!({"profile": {"fact": "shoe_size", "op": "eq", "value": 1}}), "/profile/fact"),
        (json!({"profile": {"fact": "orders", "op": "contains", "value": 1}}), "/profile/op"),
        (
            json!({"profile": {"fact": "orders", "op": "eq", "value": 1, "category": "a"}}),
            "/profile/category",
        ),
        (
            json!({"profile": {"fact": "orders", "op": "eq", "value": 1, "currency": "USD"}}),
            "/profile/currency",
        ),
        (json!({"profile": {"fact": "known", "op": "eq", "value": "yes"}}), "/profile/value"),
        (
            json!({"profile": {"fact": "revenue", "currency": "XYZ", "op": "gt", "value": 1}}),
            "/profile/currency",
        ),
        (json!({"profile": {"fact": "category_views", "op": "gt", "value": 1}}), "/profile/category"),
        (
            json!({"profile": {"fact": "consent", "category": 7, "op": "eq", "value": true}}),
            "/profile/category",
        ),
        (json!({"profile": {"fact": "rfm_group", "op": "eq", "value": "rich"}}), "/profile/value"),
        (json!({"profile": {"fact": "last_order", "op": "eq", "value": "2026-11-27"}}), "/profile/op"),
    ]
}

/// What is wrong about carts, requests and the clock.
fn malformed_requests() -> Vec<(Value, &'static str)> {
    vec![
        (json!({"cart": {"field": "color", "op": "eq", "value": 1}}), "/cart/field"),
        (json!({"cart": {"field": "value", "op": "gte", "value": "1e"}}), "/cart/value"),
        (json!({"cart": {"field": "lines", "currency": "USD", "op": "eq", "value": 1}}), "/cart/currency"),
        (json!({"cart": {"field": "product", "op": "ne", "value": "p"}}), "/cart/op"),
        (json!({"cart": {"field": "idle", "op": "gt", "value": 7200}}), "/cart/value"),
        (json!({"context": {"op": "eq", "value": 1}}), "/context/attribute"),
        (json!({"context": {"field": "a", "op": "eq", "value": 1}}), "/context/field"),
        (json!({"device": {"attribute": "type", "op": "eq", "value": 1}}), "/device/attribute"),
        (json!({"geo": {"field": "", "op": "eq", "value": 1}}), "/geo/field"),
        (json!({"time": {}}), "/time"),
        (json!({"time": {"after": "2026-11-27T00:00:00Z", "zone": "UTC"}}), "/time"),
        (json!({"time": {"after": "noon"}}), "/time/after"),
        (
            json!({"time": {"after": "2026-11-27T00:00:00Z", "before": "2026-11-26T00:00:00Z"}}),
            "/time/before",
        ),
        (json!({"time": {"zone": "UTC"}}), "/time/days"),
        (json!({"time": {"days": ["friday"], "zone": "UTC"}}), "/time/days"),
        (json!({"time": {"days": [], "zone": "UTC"}}), "/time/days"),
        (json!({"time": {"from": "9:00", "zone": "UTC"}}), "/time/from"),
        (json!({"time": {"from": "09:00", "until": "24:00", "zone": "UTC"}}), "/time/until"),
        (json!({"time": {"from": "09:00", "until": "09:00", "zone": "UTC"}}), "/time/until"),
        (json!({"time": {"from": "09:00", "until": "17:00", "zone": "Mars/Olympus"}}), "/time/zone"),
        (json!({"time": {"from": "09:00", "until": "17:00"}}), "/time/zone"),
    ]
}

fn malformed_events() -> Vec<(Value, &'static str)> {
    let event = |members: Value| {
        let mut event = json!({"name": "Order Completed"});
        event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        json!({ "event": event })
    };
    vec![
        (json!({"event": {}}), "/event/name"),
        (json!({"event": {"name": "$parted"}}), "/event/name"),
        (event(json!({"often": true})), "/event/often"),
        (event(json!({"count": {"op": "gte", "value": 1}, "last": {"op": "never"}})), "/event"),
        (event(json!({"count": 3})), "/event/count"),
        (event(json!({"count": {"op": "in", "value": [1]}})), "/event/count/op"),
        (event(json!({"count": {"op": "gte", "value": -1}})), "/event/count/value"),
        (event(json!({"count": {"op": "gte", "value": 1.5}})), "/event/count/value"),
        (event(json!({"count": {"op": "gte", "value": 1001}})), "/event/count/value"),
        (event(json!({"within": "7"})), "/event/within"),
        (event(json!({"sum": {"op": "gte", "value": 1}})), "/event/sum/property"),
        (
            event(json!({"sum": {"property": "total", "op": "gte", "value": 1, "currency": "?"}})),
            "/event/sum/currency",
        ),
        (event(json!({"last": {"op": "before", "value": "2026-11-27T00:00:00Z"}})), "/event/last/op"),
        (event(json!({"last": {"op": "never", "value": "1d"}})), "/event/last/op"),
        (event(json!({"last": {"op": "within", "value": "1d"}, "within": "7d"})), "/event/within"),
        (event(json!({"where": {}})), "/event/where"),
        (event(json!({"where": [{"op": "eq", "value": 1}]})), "/event/where/0/property"),
        (
            event(json!({"where": [{"property": "a", "op": "exists"}, {"property": "b"}]})),
            "/event/where/1/op",
        ),
    ]
}

/// Tries a condition everywhere that reads one; the pointer goes on from where it stands.
fn refused(shop: &Shop, faults: &mut Faults, condition: &Value, pointer: &str) {
    let what: String = condition.to_string().chars().take(160).collect();
    let experience = json!({"key": "x", "variants": [{"key": "a", "content": 1}], "fallback": "a",
        "rules": [{"key": "r", "when": condition, "serve": "a"}]});
    let answers = [
        ("/condition", shop.admin.post("/api/v1/audiences/preview", &json!({ "condition": condition }))),
        ("/condition", shop.admin.post(AUDIENCES, &json!({"key": "new", "condition": condition}))),
        ("/condition", shop.admin.edit("PUT", VIPS, "*", Some(&json!({ "condition": condition })))),
        ("/rules/0/when", shop.admin.post("/api/v1/experiences", &experience)),
    ];
    for (place, answer) in answers {
        if place == "/rules/0/when" && condition.is_null() {
            continue;
        }
        let place = format!("{place}{pointer}");
        let expected = Expected { statuses: &[400], slug: Some("invalid-field"), place: Some(&place) };
        faults.check(&what, &answer, expected);
    }
}

pub(crate) fn a_malformed_condition_is_told_where(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    let before = shop.admin.get(AUDIENCES).text();
    for (condition, pointer) in malformed() {
        refused(&shop, &mut faults, &condition, pointer);
    }
    // All that is wrong is told at once.
    let many: Vec<Value> = malformed_profiles().into_iter().map(|(condition, _)| condition).collect();
    let body = json!({"condition": {"any": many}});
    let told = shop.admin.post("/api/v1/audiences/preview", &body).problem(400);
    for (idx, (_, pointer)) in malformed_profiles().into_iter().enumerate() {
        let place = format!("/condition/any/{idx}{pointer}");
        assert!(told.pointers.contains(&place), "{place}: {:?}", told.pointers);
    }
    assert_eq!(shop.admin.get(AUDIENCES).text(), before, "nothing was changed");
    faults.report(&mut shop);
}

/// A leaf in so many `not` that it stands at this depth.
fn nested(depth: usize) -> Value {
    (1..depth).fold(vips(), |inner, _| json!({ "not": inner }))
}

pub(crate) fn a_condition_has_limits(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    let preview =
        |condition: &Value| shop.admin.post("/api/v1/audiences/preview", &json!({ "condition": condition }));
    let tests = |n: usize| {
        let tests: Vec<Value> =
            (0..n).map(|nth| json!({"property": format!("p{nth}"), "op": "exists"})).collect();
        json!({"event": {"name": "x", "where": tests}})
    };
    let is_in =
        |n: usize| json!({"profile": {"trait": "a", "op": "in", "value": (0..n).collect::<Vec<_>>()}});
    let list = |n: usize| json!({"all": vec![vips(); n]});
    let eq = |text: &str| json!({"profile": {"trait": "a", "op": "eq", "value": text}});
    let of = |name: &str| json!({"profile": {"trait": name, "op": "exists"}});
    let large = "x".repeat(1_000);
    for good in [nested(8), list(199), tests(20), is_in(1_000), eq(&large), of(&large[..200])] {
        preview(&good).expect(200);
    }
    let deep = "/not".repeat(8);
    let longer = "x".repeat(1_001);
    for (bad, pointer) in [
        (nested(9), deep.as_str()),
        (list(200), ""),
        (json!({"any": [list(100), list(100)]}), ""),
        (tests(21), "/event/where"),
        (is_in(1_001), "/profile/value"),
        (eq(&longer), "/profile/value"),
        (of(&longer[..201]), "/profile/trait"),
    ] {
        refused(&shop, &mut faults, &bad, pointer);
    }
    // What named audiences bring along counts, too.
    make(&shop, "large", &list(198));
    let named = |n: usize| json!({"any": vec![json!({"audience": "large"}); n]});
    preview(&named(9)).expect(200);
    refused(&shop, &mut faults, &named(11), "");
    make(&shop, "nine", &json!({"any": [named(9), vips()]}));
    let grown = shop.admin.edit("PUT", "/api/v1/audiences/nine", "*", Some(&json!({"condition": named(9)})));
    grown.expect(200);
    faults.report(&mut shop);
}

pub(crate) fn audiences_lead_in_no_circle(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    make(&shop, "second", &json!({"not": {"audience": "vips"}}));
    make(&shop, "third", &json!({"any": [{"audience": "second"}, vips()]}));
    let before = shop.admin.get(AUDIENCES).text();
    for (condition, pointer) in [
        (json!({"audience": "vips"}), "/condition/audience"),
        (json!({"audience": "second"}), "/condition/audience"),
        (json!({"all": [vips(), {"not": {"audience": "third"}}]}), "/condition/all/1/not/audience"),
    ] {
        let answer = shop.admin.edit("PUT", VIPS, "*", Some(&json!({ "condition": condition })));
        let expected = Expected { statuses: &[400], slug: Some("invalid-field"), place: Some(pointer) };
        faults.check(&condition.to_string(), &answer, expected);
    }
    let itself = shop.admin.post(AUDIENCES, &json!({"key": "own", "condition": {"audience": "own"}}));
    faults.check("itself", &itself, at(&[400], "/condition/audience"));
    for (key, by) in [("vips", "second"), ("second", "third")] {
        let answer = shop.admin.edit("DELETE", &format!("/api/v1/audiences/{key}"), "*", None);
        faults.check(key, &answer, of_kind(&[409], "audience-in-use"));
        assert!(answer.problem(409).detail.contains(by), "says who asks: {answer}");
    }
    assert_eq!(shop.admin.get(AUDIENCES).text(), before, "nothing was changed");
    let experience = json!({"key": "x", "variants": [{"key": "a", "content": 1}], "fallback": "a",
        "rules": [{"key": "r", "when": {"audience": "third"}, "serve": "a"}]});
    shop.admin.post("/api/v1/experiences", &experience).expect(201);
    shop.admin.edit("POST", "/api/v1/experiences/x/publish", "*", None).expect(200);
    let asked = shop.admin.edit("DELETE", "/api/v1/audiences/third", "*", None);
    faults.check("an experience asks", &asked, of_kind(&[409], "audience-in-use"));
    faults.report(&mut shop);
}
