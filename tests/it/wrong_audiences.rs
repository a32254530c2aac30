//! A wrong request about audiences or persons is a problem that says where, and changes nothing.

use crate::harness::events::{now, track};
use crate::harness::{Book, Engine, Expected, Faults, Shop, any, at, named, of_kind};
use serde_json::{Value, json};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(each_endpoint_asks_for_a_key_that_may));
    book.both(named!(each_path_says_which_methods_it_takes));
    book.both(named!(a_body_that_is_wrong_is_a_problem_that_names_the_field));
    book.both(named!(a_change_says_which_state_it_saw));
    book.both(named!(a_malformed_condition_is_told_where));
    book.both(named!(a_condition_has_limits));
    book.both(named!(audiences_lead_in_no_circle));
    book.both(named!(a_person_is_asked_for_by_an_id));
}

/// Method, path, and the least scope that may.
const ENDPOINTS: [(&str, &str, &str); 12] = [
    ("GET", "/api/v1/audiences", "server"),
    ("POST", "/api/v1/audiences", "admin"),
    ("POST", "/api/v1/audiences/preview", "server"),
    ("GET", "/api/v1/audiences/vips", "server"),
    ("PUT", "/api/v1/audiences/vips", "admin"),
    ("DELETE", "/api/v1/audiences/vips", "admin"),
    ("GET", "/api/v1/audiences/vips/moves", "server"),
    ("POST", "/api/v1/audiences/vips/explain", "server"),
    ("GET", "/api/v1/profiles/ann", "server"),
    ("GET", "/api/v1/profiles/ann/moves", "server"),
    ("POST", "/api/v1/profiles/ann/aliases", "server"),
    ("DELETE", "/api/v1/profiles/ann/aliases/phone", "server"),
];
const AUDIENCES: &str = "/api/v1/audiences";
const VIPS: &str = "/api/v1/audiences/vips";

fn vips() -> Value {
    json!({"profile": {"fact": "orders", "op": "gte", "value": 5}})
}

fn open(engine: Engine) -> Shop {
    let shop = Shop::open(engine);
    make(&shop, "vips", &vips());
    shop
}

fn make(shop: &Shop, key: &str, condition: &Value) -> Value {
    shop.admin.post(AUDIENCES, &json!({"key": key, "condition": condition})).expect(201)
}

pub(crate) fn each_endpoint_asks_for_a_key_that_may(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    let before = shop.admin.get(VIPS).text();
    for (method, path, least) in ENDPOINTS {
        let what = format!("{method} {path}");
        let ask = |key: Option<&str>| {
            shop.admin.with_key(key).call(method, path, &[("If-Match", "*")], Some(b"{}"))
        };
        let nobody = of_kind(&[401], "unauthorized");
        faults.check(&what, &ask(None), nobody);
        for key in ["nonsense", "podium_adm_00000000_00000000000000000000000000000000"] {
            faults.check(&what, &ask(Some(key)), nobody);
        }
        for scope in ["publishable", "server"] {
            let answer = shop.podium.client(scope).call(method, path, &[("If-Match", "*")], Some(b"{}"));
            let may = scope == "server" && least == "server";
            if !may {
                faults.check(&format!("{what} as {scope}"), &answer, of_kind(&[403], "forbidden"));
            } else if [401, 403].contains(&answer.status) {
                faults.add(format!("{what} as {scope}: {answer}"));
            }
        }
    }
    assert_eq!(shop.admin.get(VIPS).text(), before, "nothing was changed");
    faults.report(&mut shop);
}

pub(crate) fn each_path_says_which_methods_it_takes(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    for (_, path, _) in ENDPOINTS {
        let takes = |method: &&str| ENDPOINTS.iter().any(|(one, its, _)| one == method && *its == path);
        let right: Vec<_> = ["GET", "POST", "PUT", "DELETE"].into_iter().filter(takes).collect();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "QUERY"] {
            if right.contains(&method) {
                continue;
            }
            let answer = shop.admin.call(method, path, &[("If-Match", "*")], None);
            let what = format!("{method} {path}");
            faults.check(&what, &answer, of_kind(&[405], "method-not-allowed"));
            let mut allowed: Vec<_> = answer.header("allow").unwrap_or_default().split(", ").collect();
            allowed.sort_by_key(|one| right.iter().position(|method| method == one));
            if allowed != right {
                faults.add(format!("{what}: allows {allowed:?}, not {right:?}"));
            }
        }
    }
    for path in
        ["/api/v1/audiences/", "/api/v1/audiences/vips/members", "/api/v1/profiles", "/api/v1/profiles/a/b"]
    {
        faults.check(path, &shop.admin.get(path), of_kind(&[404], "not-found"));
    }
    faults.report(&mut shop);
}

/// The endpoints that read a body, each with one that is right.
fn bodies() -> [(&'static str, &'static str, Value); 5] {
    [
        ("POST", AUDIENCES, json!({"key": "new", "name": "n", "condition": vips()})),
        ("PUT", VIPS, json!({"name": "n", "condition": vips()})),
        ("POST", "/api/v1/audiences/preview", json!({"condition": vips()})),
        ("POST", "/api/v1/audiences/vips/explain", json!({"unit": "ann"})),
        ("POST", "/api/v1/profiles/ann/aliases", json!({"id": "phone"})),
    ]
}

pub(crate) fn a_body_that_is_wrong_is_a_problem_that_names_the_field(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    let before = shop.admin.get(AUDIENCES).text();
    let send = |method: &str, path: &str, body: &[u8]| {
        shop.admin.call(method, path, &[("If-Match", "*")], Some(body))
    };
    for (method, path, good) in bodies() {
        let what = |body: &str| format!("{method} {path} {}", body.chars().take(80).collect::<String>());
        for body in ["", "{", "{\"condition\": }", "nonsense", "{}{}", "\"\\ud800\""] {
            let answer = send(method, path, body.as_bytes());
            faults.check(&what(body), &answer, of_kind(&[400], "bad-json"));
        }
        faults.check(&what("bytes"), &send(method, path, b"{\"\xff\": 1}"), any(&[400]));
        let deep = format!("{{\"condition\": {}{}}}", "{\"not\":".repeat(500), "}".repeat(500));
        faults.check(&what("deep"), &send(method, path, deep.as_bytes()), any(&[400]));
        for body in ["[]", "7", "null", "\"text\""] {
            faults.check(&what(body), &send(method, path, body.as_bytes()), of_kind(&[400], "invalid-field"));
        }
        let large = json!({"name": "x".repeat(1024 * 1024 + 1)}).to_string();
        faults.check(
            &what("large"),
            &send(method, path, large.as_bytes()),
            of_kind(&[413], "body-too-large"),
        );
        let mut unknown = good.clone();
        unknown["nonsense"] = json!(1);
        let unknown = unknown.to_string();
        faults.check(&what(&unknown), &send(method, path, unknown.as_bytes()), at(&[400], "/nonsense"));
        for name in good.as_object().unwrap().keys() {
            for wrong in [json!(7), json!([]), json!(true)] {
                let mut body = good.clone();
                body[name] = wrong;
                let body = body.to_string();
                faults.check(
                    &what(&body),
                    &send(method, path, body.as_bytes()),
                    at(&[400], &format!("/{name}")),
                );
            }
            let mut missing = good.clone();
            missing.as_object_mut().unwrap().remove(name);
            let missing = missing.to_string();
            if name != "name" {
                let answer = send(method, path, missing.as_bytes());
                faults.check(&what(&missing), &answer, at(&[400], &format!("/{name}")));
            }
        }
    }
    let long = "x".repeat(256);
    let values = [
        ("POST", AUDIENCES, "key", json!("")),
        ("POST", AUDIENCES, "key", json!("two words")),
        ("POST", AUDIENCES, "key", json!("-a")),
        ("POST", AUDIENCES, "key", json!("x".repeat(101))),
        ("POST", AUDIENCES, "key", json!("preview")),
        ("POST", AUDIENCES, "name", json!("x".repeat(201))),
        ("POST", AUDIENCES, "name", json!("a\0b")),
        ("PUT", VIPS, "name", json!("x".repeat(201))),
        ("POST", "/api/v1/audiences/vips/explain", "unit", json!("")),
        ("POST", "/api/v1/audiences/vips/explain", "unit", json!("a\0b")),
        ("POST", "/api/v1/audiences/vips/explain", "unit", json!(long)),
        ("POST", "/api/v1/audiences/vips/explain", "context", json!([])),
        ("POST", "/api/v1/audiences/vips/explain", "context", json!("text")),
        ("POST", "/api/v1/audiences/vips/explain", "at", json!("today")),
        ("POST", "/api/v1/profiles/ann/aliases", "id", json!("")),
        ("POST", "/api/v1/profiles/ann/aliases", "id", json!("a\0b")),
        ("POST", "/api/v1/profiles/ann/aliases", "id", json!(long)),
        ("POST", "/api/v1/profiles/ann/aliases", "id", json!("ann")),
    ];
    for (method, path, name, value) in values {
        let (_, _, mut body) =
            bodies().into_iter().find(|(one, its, _)| *one == method && *its == path).unwrap();
        body[name] = value;
        let body = body.to_string();
        let what = format!("{method} {path} {}", body.chars().take(80).collect::<String>());
        let place = format!("/{name}");
        let expected = Expected { statuses: &[400], slug: Some("invalid-field"), place: Some(&place) };
        faults.check(&what, &send(method, path, body.as_bytes()), expected);
    }
    let taken = shop.admin.post(AUDIENCES, &json!({"key": "vips", "condition": vips()}));
    faults.check("a key that is taken", &taken, of_kind(&[409], "audience-key-taken"));
    let nope = "/api/v1/audiences/nope";
    let change = json!({"condition": vips()});
    for (what, answer) in [
        ("read", shop.admin.get(nope)),
        ("change", shop.admin.edit("PUT", nope, "*", Some(&change))),
        ("remove", shop.admin.edit("DELETE", nope, "*", None)),
        ("moves", shop.admin.get("/api/v1/audiences/nope/moves")),
        ("explain", shop.admin.post("/api/v1/audiences/nope/explain", &json!({"unit": "ann"}))),
        ("no key", shop.admin.get("/api/v1/audiences/%00")),
    ] {
        faults.check(what, &answer, of_kind(&[404], "not-found"));
    }
    for path in ["/api/v1/audiences/vips/moves", "/api/v1/profiles/ann/moves"] {
        for query in ["limit=0", "limit=501", "limit=x", "cursor=0", "cursor=x", "nonsense=1"] {
            let path = format!("{path}?{query}");
            faults.check(&path, &shop.admin.get(&path), of_kind(&[400], "invalid-query"));
        }
    }
    for unit in ["", "%00", &long] {
        let path = format!("/api/v1/audiences/vips/moves?unit={unit}");
        faults.check(&path, &shop.admin.get(&path), of_kind(&[400], "invalid-query"));
    }
    assert_eq!(shop.admin.get(AUDIENCES).text(), before, "nothing was changed");
    faults.report(&mut shop);
}

pub(crate) fn a_change_says_which_state_it_saw(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    let body = json!({"name": "Changed", "condition": vips()});
    let first = shop.admin.get(VIPS).etag();
    let text = body.to_string();
    for (method, body) in [("PUT", Some(text.as_bytes())), ("DELETE", None)] {
        let blind = shop.admin.call(method, VIPS, &[], body);
        faults.check(method, &blind, of_kind(&[428], "if-match-missing"));
    }
    let changed = shop.admin.edit("PUT", VIPS, &first, Some(&body));
    let second = changed.etag();
    assert_ne!(second, first);
    assert_eq!(changed.expect(200)["name"], "Changed");
    for stale in [first.as_str(), "\"nonsense\"", "\"99\"", "W/\"1\""] {
        for method in ["PUT", "DELETE"] {
            let answer = shop.admin.edit(method, VIPS, stale, (method == "PUT").then_some(&body));
            faults.check(&format!("{method} {stale}"), &answer, of_kind(&[412], "edit-conflict"));
            if answer.header("etag") != Some(&second) {
                faults.add(format!("{method} {stale}: the state is {:?}", answer.header("etag")));
            }
        }
    }
    assert_eq!(shop.admin.get(VIPS).etag(), second);
    shop.admin.edit("DELETE", VIPS, &second, None).expect(204);
    faults.check("gone", &shop.admin.edit("DELETE", VIPS, &second, None), of_kind(&[404], "not-found"));
    faults.report(&mut shop);
}

/// Conditions that cannot mean what they say, each with where.
fn malformed() -> Vec<(Value, &'static str)> {
    let event = |members: Value| {
        let mut event = json!({"name": "Order Completed"});
        event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        json!({ "event": event })
    };
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
        (json!({"audience": 7}), "/audience"),
        (json!({"audience": "two words"}), "/audience"),
        (json!({"all": [{"audience": "nobody-made-it"}]}), "/all/0/audience"),
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
    let many: Vec<Value> = malformed().into_iter().skip(17).map(|(condition, _)| condition).collect();
    let preview =
        shop.admin.post("/api/v1/audiences/preview", &json!({"condition": {"any": many}})).problem(400);
    assert!(many.len() <= preview.pointers.len() + 1, "{} of {}", preview.pointers.len(), many.len());
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

pub(crate) fn a_person_is_asked_for_by_an_id(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    shop.log(&[track("ann", "Product Viewed", "v-1", now(), &json!({}))]);
    let long = "x".repeat(256);
    let nowhere = of_kind(&[404], "not-found");
    for id in ["%00", "a%00b", long.as_str()] {
        let path = format!("/api/v1/profiles/{id}");
        faults.check(&path, &shop.admin.get(&path), nowhere);
        faults.check(&path, &shop.admin.get(&format!("{path}/moves")), nowhere);
        let join = shop.admin.post(&format!("{path}/aliases"), &json!({"id": "phone"}));
        faults.check(&path, &join, nowhere);
        for part in [format!("{path}/aliases/phone"), format!("/api/v1/profiles/ann/aliases/{id}")] {
            faults.check(&part, &shop.admin.call("DELETE", &part, &[], None), nowhere);
        }
    }
    for other in ["ann", "phone", "bob"] {
        let path = format!("/api/v1/profiles/ann/aliases/{other}");
        faults.check(&path, &shop.admin.call("DELETE", &path, &[], None), nowhere);
    }
    for id in ["a%20b%2Fc", "%C3%A4nn", "..%2F..", "%F0%9F%91%9F"] {
        let path = format!("/api/v1/profiles/{id}");
        let profile = shop.admin.get(&path).expect(200);
        assert_eq!((&profile["known"], &profile["first_seen"]), (&json!(false), &Value::Null), "{id}");
    }
    assert_eq!(shop.admin.get("/api/v1/profiles/ann").expect(200)["ids"], json!(["ann"]));
    faults.report(&mut shop);
}
