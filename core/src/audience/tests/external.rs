//! What other systems say, and what a condition makes of it when they do not.

use super::*;
use crate::id::SourceKey;
use proptest::prelude::*;

fn tested(source: &str, field: &str, test: Value) -> Value {
    let mut members = test;
    (members["source"], members["field"]) = (json!(source), json!(field));
    json!({ "external": members })
}

fn is(source: &str, field: &str, value: Value) -> Value {
    tested(source, field, json!({ "op": "eq", "value": value }))
}

/// What sources say; the others do not.
fn said(all: &[(&str, Value)]) -> External {
    let mut external = External::new();
    for (source, said) in all {
        external.insert(SourceKey::new(source).unwrap(), Arc::new(said.clone()));
    }
    external
}

fn answer(ready: &Ready, external: &External) -> Option<bool> {
    ready.ask_with(&[], (&Value::Null, external), |shopper| {
        ready.audiences.answer(&ready.condition, shopper, at(0))
    })
}

#[track_caller]
fn check(condition: Value, external: &External, expected: Option<bool>) {
    let text = condition.to_string();
    assert_eq!(answer(&Ready::new(condition), external), expected, "{text}");
}

#[test]
fn a_member_of_what_a_source_says_is_tested_like_an_attribute() {
    let erp = said(&[("erp", json!({ "tier": "gold", "credit": { "limit": 500, "since": "2026-11-20" } }))]);
    check(is("erp", "tier", json!("gold")), &erp, Some(true));
    check(is("erp", "tier", json!("silver")), &erp, Some(false));
    check(tested("erp", "credit.limit", json!({ "op": "gte", "value": 500 })), &erp, Some(true));
    check(tested("erp", "credit.since", json!({ "op": "within", "value": "30d" })), &erp, Some(true));
    check(tested("erp", "tier", json!({ "op": "in", "value": ["gold", "silver"] })), &erp, Some(true));
    check(tested("erp", "tier", json!({ "op": "matches", "value": "^g" })), &erp, Some(true));
    // That it does not say it is an answer.
    check(is("erp", "name", json!("ann")), &erp, Some(false));
    check(tested("erp", "name", json!({ "op": "absent" })), &erp, Some(true));
}

#[test]
fn what_could_not_be_had_is_neither_so_nor_otherwise() {
    let (gold, yes, no) = (is("erp", "tier", json!("gold")), plan("absent"), plan("exists"));
    let nothing = External::new();
    for unknown in [
        gold.clone(),
        tested("erp", "tier", json!({ "op": "absent" })),
        json!({ "not": gold }),
        json!({ "not": { "not": gold } }),
        json!({ "all": [yes, gold] }),
        json!({ "any": [no, gold] }),
        json!({ "not": { "all": [gold, yes] } }),
    ] {
        check(unknown, &nothing, None);
    }
    // What the source said would make no difference.
    check(json!({ "all": [gold, no] }), &nothing, Some(false));
    check(json!({ "any": [gold, yes] }), &nothing, Some(true));
    check(json!({ "not": { "any": [gold, yes] } }), &nothing, Some(false));
}

fn plan(op: &str) -> Value {
    json!({ "profile": { "trait": "plan", "op": op } })
}

#[test]
fn a_client_cannot_say_what_a_source_says() {
    let ready = Ready::new(is("erp", "tier", json!("gold")));
    let forged = json!({ "external": { "erp": { "tier": "gold" } }, "erp": { "tier": "gold" }, "tier": "gold",
        "external.erp.tier": "gold" });
    let asked = |external: &External| {
        ready.ask_with(&[], (&forged, external), |shopper| {
            ready.audiences.answer(&ready.condition, shopper, at(0))
        })
    };
    assert_eq!(asked(&External::new()), None);
    assert_eq!(asked(&said(&[("erp", json!({ "tier": "silver" }))])), Some(false));
}

#[test]
fn a_condition_knows_its_sources_and_those_of_its_audiences() {
    let both = json!({ "all": [{ "not": is("stock", "level", json!(0)) }, { "audience": "gold" }] });
    let ready = Ready::with(&[("gold", is("erp", "tier", json!("gold")))], both.clone());
    let sources: Vec<_> = ready.condition.sources().iter().map(SourceKey::as_str).collect();
    assert_eq!(sources, ["erp", "stock"]);
    assert!(ready.condition.needs_context(), "nobody is a member of it between requests");
    let both = Condition::parse(&both).unwrap();
    let named = both.sources().into_iter().map(|(pointer, source)| (pointer, source.as_str().to_owned()));
    assert_eq!(named.collect::<Vec<_>>(), [("/all/0/not/external/source".to_owned(), "stock".to_owned())]);
}

#[test]
fn an_explanation_says_what_could_not_be_had() {
    let ready = Ready::new(json!({ "any": [{ "not": is("erp", "tier", json!("gold")) }, plan("exists")] }));
    let clause = ready.explain(&[], 0);
    assert_eq!((clause.holds, clause.found.as_str()), (None, "0 of 2; 1 cannot be told"));
    let not = &clause.clauses[0];
    assert_eq!((not.holds, not.found.as_str()), (None, "it cannot be told whether it holds"));
    let leaf = &not.clauses[0];
    assert_eq!((leaf.holds, leaf.found.as_str()), (None, "could not be had"));
    assert_eq!(leaf.wanted, "`tier` of the source `erp` is \"gold\"");
    assert_eq!(serde_json::to_value(leaf).unwrap()["holds"], Value::Null);
}

const SOURCES: [&str; 3] = ["a", "b", "c"];

fn tree() -> impl Strategy<Value = Value> {
    let ops = prop_oneof![
        Just(json!({ "op": "eq", "value": 1 })),
        Just(json!({ "op": "ne", "value": 1 })),
        Just(json!({ "op": "lt", "value": 1 })),
        Just(json!({ "op": "exists" })),
        Just(json!({ "op": "absent" })),
        Just(json!({ "op": "not_in", "value": [0, 1] })),
    ];
    let external = (0..3_usize, ops).prop_map(|(idx, test)| tested(SOURCES[idx], "n", test));
    let leaf = prop_oneof![4 => external, 1 => Just(plan("exists")), 1 => Just(plan("absent"))];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|all| json!({ "all": all })),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|any| json!({ "any": any })),
            inner.prop_map(|not| json!({ "not": not })),
        ]
    })
}

/// Everything that a source can say as far as these trees look.
fn sayings() -> [Value; 3] {
    [json!({}), json!({ "n": 0 }), json!({ "n": 1 })]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// So that no `not` makes a hit of what is not known.
    #[test]
    fn an_answer_without_a_source_is_the_same_whatever_the_source_says(
        tree in tree(),
        had in prop::collection::vec(prop::option::of(0..3_usize), 3),
    ) {
        let ready = Ready::new(tree.clone());
        let contrary = Ready::new(json!({ "not": tree }));
        let of = |idx: &[Option<usize>]| {
            let had = SOURCES.iter().zip(idx);
            let had = had.filter_map(|(source, idx)| Some((*source, sayings()[(*idx)?].clone())));
            said(&had.collect::<Vec<_>>())
        };
        let partial = answer(&ready, &of(&had));
        prop_assert_eq!(answer(&contrary, &of(&had)), partial.map(|holds| !holds));
        for number in 0..27_usize {
            let whole: Vec<_> =
                had.iter().enumerate().map(|(idx, had)| had.or(Some(number / [1, 3, 9][idx] % 3))).collect();
            let sure = answer(&ready, &of(&whole));
            prop_assert!(sure.is_some());
            prop_assert!(partial.is_none() || partial == sure, "{} {:?} {:?}", ready.explain(&[], 0).found, had, whole);
        }
    }
}
