//! An address that must not be contacted is the same in every spelling, and a wrong one is refused by name.

use crate::harness::{Book, Engine, Expected, Faults, at, named, of_kind};
use crate::wrong_messages::open;
use serde_json::{Value, json};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(an_address_is_suppressed_in_every_spelling));
    book.both(named!(a_wrong_suppression_is_a_problem_that_names_the_field));
}

const SUPPRESSIONS: &str = "/api/v1/suppressions";

pub(crate) fn an_address_is_suppressed_in_every_spelling(engine: Engine) {
    let shop = open(engine);
    let scope = |address: &str, scope: &str| {
        let body = json!({"channel": "mail", "address": address, "scope": scope, "reason": scope});
        let added = shop.admin.post(SUPPRESSIONS, &body).expect(201);
        (added["scope"].clone(), added["reason"].clone())
    };
    assert_eq!(scope("Ann@Example.com", "marketing"), (json!("marketing"), json!("marketing")));
    assert_eq!(scope(" ann@example.com ", "all"), (json!("all"), json!("all")));
    assert_eq!(scope("ann@example.com", "marketing"), (json!("all"), json!("all")), "what holds is told");
    for address in ["ann@example.com", "ANN@EXAMPLE.COM", "%20Ann@example.com"] {
        let found = shop.admin.get(&format!("{SUPPRESSIONS}?channel=mail&address={address}")).expect(200);
        assert_eq!(found["data"][0]["address"], "ann@example.com", "{address}: {found}");
    }
    let lift = |address: &str| {
        let path = format!("{SUPPRESSIONS}?channel=mail&address={address}");
        shop.admin.call("DELETE", &path, &[], None)
    };
    lift("ANN@example.com").expect(204);
    assert_eq!(lift("ann@example.com").problem(404).slug, "not-found");
    assert_eq!(shop.admin.get(&format!("{SUPPRESSIONS}?channel=mail")).expect(200)["data"], json!([]));
}

pub(crate) fn a_wrong_suppression_is_a_problem_that_names_the_field(engine: Engine) {
    let mut shop = open(engine);
    let mut faults = Faults::default();
    let base = json!({"channel": "mail", "address": "ann@example.com"});
    for (name, value) in [
        ("channel", json!("a b")),
        ("channel", json!(7)),
        ("channel", Value::Null),
        ("address", json!("")),
        ("address", json!("  ")),
        ("address", json!(7)),
        ("address", json!({"email": "ann@example.com"})),
        ("address", json!("a\0b")),
        ("address", json!("x".repeat(4_097))),
        ("scope", json!("everything")),
        ("scope", Value::Null),
        ("reason", json!("a\0b")),
        ("reason", json!(7)),
        ("reason", json!("x".repeat(4_097))),
        ("until", json!("2999-01-01T00:00:00Z")),
    ] {
        let mut body = base.clone();
        body[name] = value;
        let answer = shop.admin.post(SUPPRESSIONS, &body);
        let place = format!("/{name}");
        let what: String = body.to_string().chars().take(120).collect();
        let expected = Expected { statuses: &[400], slug: Some("invalid-field"), place: Some(&place) };
        faults.check(&what, &answer, expected);
    }
    for name in ["channel", "address"] {
        let mut body = base.clone();
        body.as_object_mut().unwrap().remove(name);
        faults.check(name, &shop.admin.post(SUPPRESSIONS, &body), at(&[400], &format!("/{name}")));
    }
    let wrong = of_kind(&[400], "invalid-query");
    for query in ["limit=0", "limit=501", "cursor=.", "cursor=AA", "scope=all", "address=%00"] {
        let answer = shop.admin.get(&format!("{SUPPRESSIONS}?channel=mail&{query}"));
        faults.check(&format!("GET {query}"), &answer, wrong);
    }
    for query in
        ["", "?channel=mail", "?address=x", "?channel=mail&address=x&limit=1", "?channel=%00&address=x"]
    {
        let path = format!("{SUPPRESSIONS}{query}");
        faults.check(&path, &shop.admin.call("DELETE", &path, &[], None), wrong);
    }
    for query in ["", "?address=x", "?channel=%00"] {
        let path = format!("{SUPPRESSIONS}{query}");
        faults.check(&path, &shop.admin.get(&path), wrong);
    }
    for channel in ["mail", "slots", "nobody-knows"] {
        let listed = shop.admin.get(&format!("{SUPPRESSIONS}?channel={channel}")).expect(200);
        assert_eq!(listed["data"], json!([]), "{channel}");
    }
    faults.report(&mut shop);
}
