//! Audiences that name each other, and what touches them.

use super::*;

fn set(audiences: &[(&str, Value)]) -> Result<Audiences, BadAudience> {
    let audiences = audiences.iter().zip(1..).map(|((key, condition), id)| {
        (AudienceId(id), AudienceKey::new(key).unwrap(), Condition::parse(condition).unwrap())
    });
    Audiences::new(audiences, &|_| Some(LeafId(1)))
}

fn audience(key: &str) -> Value {
    json!({ "audience": key })
}

fn plan(value: &str) -> Value {
    json!({ "profile": { "trait": "plan", "op": "eq", "value": value } })
}

#[test]
fn an_audience_holds_as_its_condition_does_in_whatever_order_they_come() {
    let ready = Ready::with(
        &[("outer", json!({ "not": audience("inner") })), ("inner", plan("gold"))],
        audience("outer"),
    );
    assert!(ready.holds(&[], 0));
    assert!(!ready.holds(&[event("identify", 0, json!({ "plan": "gold" }))], 0));
}

#[test]
fn a_circle_and_an_unknown_name_are_faults() {
    let circle = set(&[
        ("a", json!({ "any": [audience("b"), plan("x")] })),
        ("b", audience("c")),
        ("c", audience("a")),
    ]);
    let bad = circle.unwrap_err();
    assert_eq!(bad.key.as_str(), "a");
    assert!(bad.to_string().contains("no circle of audiences: `b`"), "{bad}");
    assert!(set(&[("a", audience("a"))]).unwrap_err().to_string().contains("circle"));

    let bad = set(&[("a", json!({ "all": [plan("x"), audience("gone")] }))]).unwrap_err();
    assert_eq!(bad.faults[0].pointer, "/all/1/audience");
    assert!(bad.faults[0].detail.contains("there is no `gone`"), "{bad}");
}

#[test]
fn a_circle_is_told_to_whom_would_close_it() {
    let set = set(&[("a", plan("x")), ("b", audience("a")), ("c", json!({ "not": audience("b") }))]).unwrap();
    let faults = |key: &str, condition: Value| {
        let faults =
            set.reference_faults(&AudienceKey::new(key).unwrap(), &Condition::parse(&condition).unwrap());
        faults.into_iter().map(|fault| fault.pointer).collect::<Vec<_>>()
    };
    let both = json!({ "any": [plan("x"), audience("b"), audience("c"), audience("gone")] });
    assert_eq!(faults("a", both.clone()), ["/any/1/audience", "/any/2/audience", "/any/3/audience"]);
    assert_eq!(faults("b", both.clone()), ["/any/1/audience", "/any/2/audience", "/any/3/audience"]);
    assert_eq!(faults("c", both.clone()), ["/any/2/audience", "/any/3/audience"]);
    assert_eq!(faults("new", both), ["/any/3/audience"]);
    assert_eq!(faults("new", audience("new")), ["/audience"]);
}

#[test]
fn events_that_nobody_watches_are_a_fault() {
    let condition = Condition::parse(&json!({ "not": { "event": { "name": "page" } } })).unwrap();
    let faults = Audiences::default().compile(&condition, &|_| None).unwrap_err();
    assert_eq!((faults.len(), faults[0].pointer.as_str()), (1, "/not/event"));
}

#[test]
fn audiences_that_double_each_other_are_cut_off() {
    let doubled = |key: String| json!({ "all": [audience(&key), audience(&key)] });
    let mut audiences = vec![("a0".to_owned(), plan("x"))];
    audiences.extend((1..30).map(|n| (format!("a{n}"), doubled(format!("a{}", n - 1)))));
    let audiences: Vec<_> =
        audiences.iter().map(|(key, condition)| (key.as_str(), condition.clone())).collect();
    let bad = set(&audiences).unwrap_err();
    assert!(bad.to_string().contains("at most 2000 conditions"), "{bad}");
}

#[test]
fn an_event_touches_the_audiences_that_it_can_change_and_no_others() {
    let fact = |fact: &str| json!({ "profile": { "fact": fact, "op": "exists" } });
    let audiences = set(&[
        ("traits", plan("gold")),
        ("seen", fact("last_seen")),
        ("orders", fact("orders")),
        ("cart", json!({ "cart": { "field": "lines", "op": "gt", "value": 0 } })),
        ("pages", json!({ "event": { "name": "page" } })),
        ("bought", json!({ "event": { "name": "Order Completed" } })),
        ("named", json!({ "all": [audience("traits"), audience("pages")] })),
        ("mobile", json!({ "device": { "field": "type", "op": "eq", "value": "mobile" } })),
    ])
    .unwrap();
    for (name, ids) in [
        ("identify", &[1, 2, 7][..]),
        ("page", &[2, 5, 7]),
        ("Product Added", &[2, 4]),
        ("Order Completed", &[2, 3, 4, 6]),
        ("Order Refunded", &[2, 3, 6]),
        ("Order Cancelled", &[2, 3, 6]),
        ("Song Played", &[2]),
        ("$decision", &[]),
    ] {
        let touched: Vec<_> = audiences.touched_by(name).iter().map(|id| id.0).collect();
        assert_eq!(touched, ids, "{name}");
    }
    let mobile = audiences.find("mobile").and_then(|id| audiences.get(id)).unwrap();
    assert!(mobile.needs_context());
}

#[test]
fn what_names_an_audience_that_needs_context_needs_it_too() {
    let ready = Ready::with(
        &[("mobile", json!({ "device": { "field": "type", "op": "eq", "value": "mobile" } }))],
        json!({ "not": audience("mobile") }),
    );
    assert!(ready.condition.needs_context());
    assert!(!ready.holds_in(&json!({ "device": { "type": "mobile" } })));
    assert!(ready.audiences.touched_by("page").is_empty());
}
