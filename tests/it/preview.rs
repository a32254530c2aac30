//! Looking before anybody is shown anything: previews, links to one variant, and experiments in the shadow.

use crate::experiences::publish;
use crate::harness::events::{now, rfc3339};
use crate::harness::{Book, Engine, Shop, experiment, named};
use serde_json::{Value, json};

pub(crate) const LINKS: &str = "/api/v1/previews/links";
pub(crate) const EVALUATE: &str = "/ofrep/v1/evaluate/flags";

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(a_preview_is_what_a_decision_will_be_and_changes_nothing));
    book.both(named!(a_preview_shows_every_rule_and_condition));
    book.both(named!(a_preview_of_another_moment_follows_schedules));
    book.both(named!(a_wrong_question_about_a_preview_is_a_problem));
}

#[track_caller]
pub(crate) fn preview(shop: &Shop, body: &Value) -> Value {
    shop.admin.post("/api/v1/preview", body).expect(200)
}

/// The preview of one flag.
#[track_caller]
pub(crate) fn of_flag(shop: &Shop, unit: &str, flag: &str) -> Value {
    preview(shop, &json!({"unit": unit, "flags": [flag]}))["flags"][0].take()
}

/// What counters of decisions say.
pub(crate) fn counters(shop: &Shop) -> Vec<String> {
    let text = shop.admin.get("/metrics").text();
    let counts = |line: &&str| {
        ["podium_decisions", "podium_hit_policy", "podium_events"].iter().any(|name| line.starts_with(name))
    };
    text.lines().filter(counts).map(str::to_owned).collect()
}

/// Stops the server and counts what is in its log, which is what its state is made of.
#[track_caller]
pub(crate) fn logged(shop: &mut Shop) -> u64 {
    shop.check_rebuild();
    let rebuild = shop.podium.rebuild(&["--check"]);
    let text = String::from_utf8(rebuild.stdout).unwrap();
    let n_events = text.split(" events").next().and_then(|n| n.trim().parse().ok());
    n_events.unwrap_or_else(|| panic!("no number of events in {text}"))
}

pub(crate) fn gold() -> Value {
    json!({"all": [{"context": {"attribute": "plan", "op": "eq", "value": "gold"}}]})
}

/// An experience on the flag of an experiment, for some.
pub(crate) fn for_gold(key: &str, flag: &str) -> Value {
    json!({
        "key": key, "flag_key": flag, "priority": 3,
        "variants": [{"key": "gold", "content": {"title": "gold"}}, {"key": "all", "content": {"title": "all"}}],
        "rules": [{"key": "golden", "when": gold(), "serve": "gold"}],
        "fallback": "all",
    })
}

pub(crate) fn a_preview_is_what_a_decision_will_be_and_changes_nothing(engine: Engine) {
    let mut shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b", "c"]));
    let broken = json!({
        "key": "broken", "variants": [{"key": "a", "content": "A"}], "fallback": "a", "hit_policy": "unique",
        "rules": [{"key": "one", "serve": "a"}, {"key": "two", "serve": "a"}],
    });
    publish(&shop, &broken);
    let before = counters(&shop);
    let units: Vec<String> = (0..20).map(|unit| format!("unit-{unit}")).collect();
    let previewed: Vec<Value> = units.iter().map(|unit| of_flag(&shop, unit, "banner")).collect();
    let all = preview(&shop, &json!({"unit": "unit-0"}));
    assert_eq!(all["flags"].as_array().unwrap().len(), 2, "all flags: {all}");
    assert_eq!(all["flags"][1]["answer"]["violation"], "several_hits", "{all}");
    assert_eq!(counters(&shop), before, "nothing was counted");
    for (unit, first) in units.iter().zip(&previewed) {
        let again = of_flag(&shop, unit, "banner");
        assert_eq!(again, *first, "nothing was remembered");
        assert_eq!(again["experiment"]["earlier"], Value::Null, "{again}");
        assert_eq!(again["answer"].get("decision_id"), None, "{again}");
    }
    for (decision, previewed) in shop.decide_all(&units, "banner").iter().zip(&previewed) {
        let answer = &previewed["answer"];
        assert_eq!(answer["variant"].as_str(), decision.variant.as_deref(), "{answer}");
        assert_eq!((&answer["value"], &answer["reason"]), (&decision.value, &json!("SPLIT")));
        assert_eq!(answer["propensity"].as_f64(), decision.propensity);
        assert_eq!(answer["weights_version"].as_u64(), decision.weights_version);
        let now_known = of_flag(&shop, &decision.unit, "banner");
        assert_eq!(now_known["experiment"]["earlier"]["variant"].as_str(), decision.variant.as_deref());
    }
    let experiment = &previewed[0]["experiment"];
    assert_eq!((&experiment["running"], &experiment["shadow"]), (&json!(true), &json!(false)));
    assert_eq!(experiment["places"]["traffic"]["end"], 1.0, "{experiment}");
    assert_eq!(experiment["weights"].as_array().unwrap().len(), 3, "{experiment}");
    assert_eq!(logged(&mut shop), 20, "the decisions, and no preview");
}

pub(crate) fn a_preview_shows_every_rule_and_condition(engine: Engine) {
    let shop = Shop::open(engine);
    let mut definition = experiment("banner", &["control", "b"]);
    definition["when"] = json!({"context": {"attribute": "country", "op": "eq", "value": "NL"}});
    definition["traffic"] = json!(0.5);
    shop.run(&definition);
    publish(&shop, &for_gold("perks", "banner"));
    let of = |context: Value| {
        let body = json!({"unit": "ann", "flags": ["banner"], "context": context});
        preview(&shop, &body)["flags"][0].take()
    };
    let silver = of(json!({"plan": "silver", "country": "BE"}));
    assert_eq!(silver["answer"]["experiment"], "banner", "{silver}");
    assert_eq!(
        (&silver["answer"]["reason"], &silver["answer"]["variant"]),
        (&json!("DISABLED"), &json!("control"))
    );
    let condition = &silver["experiment"]["condition"];
    assert_eq!(condition["holds"], false, "{condition}");
    assert!(condition["found"].as_str().unwrap().contains("BE"), "{condition}");
    let perks = &silver["experiences"][0];
    assert_eq!(
        (&perks["key"], &perks["priority"], &perks["in_time"]),
        (&json!("perks"), &json!(3), &json!(true))
    );
    let rule = &perks["rules"][0];
    assert_eq!(
        (&rule["key"], &rule["serve"], &rule["hits"]),
        (&json!("golden"), &json!("gold"), &json!(false))
    );
    assert_eq!(rule["condition"]["clauses"][0]["pointer"], "/all/0", "{rule}");
    let golden = of(json!({"plan": "gold", "country": "NL"}));
    assert_eq!(
        (&golden["answer"]["experience"], &golden["answer"]["rules"]),
        (&json!("perks"), &json!(["golden"]))
    );
    assert_eq!(golden["experiences"][0]["rules"][0]["condition"]["holds"], true, "{golden}");
    assert_eq!(golden["experiment"]["condition"]["holds"], true, "also of what does not answer: {golden}");
    let nothing = preview(&shop, &json!({"unit": "ann", "flags": ["nothing"]}));
    assert_eq!(nothing["flags"][0]["answer"]["error_code"], "FLAG_NOT_FOUND", "{nothing}");
}

pub(crate) fn a_preview_of_another_moment_follows_schedules(engine: Engine) {
    let shop = Shop::open(engine);
    let (start, end) = (now() + 3_600_000, now() + 7_200_000);
    let mut sale = for_gold("sale", "sale");
    sale["rules"] = json!([{"key": "everyone", "serve": "gold"}]);
    sale["starts_at"] = json!(rfc3339(start));
    sale["ends_at"] = json!(rfc3339(end));
    publish(&shop, &sale);
    let mut later = experiment("later", &["control", "b"]);
    later["schedule"] = json!({"start_at": rfc3339(start), "end_at": rfc3339(end)});
    shop.register(&later);
    let check = |at_ms: i64, sale: &str, later: &str| {
        let found = preview(&shop, &json!({"unit": "ann", "flags": ["sale", "later"], "at": rfc3339(at_ms)}));
        let reason = |idx: usize| found["flags"][idx]["answer"]["reason"].as_str().unwrap().to_owned();
        assert_eq!((reason(0).as_str(), reason(1).as_str()), (sale, later), "{found}");
    };
    check(start - 1_000, "DISABLED", "DISABLED");
    check(start, "STATIC", "SPLIT");
    check(end - 1_000, "STATIC", "SPLIT");
    check(end, "DISABLED", "SPLIT");
    assert_eq!(shop.experiment("later")["status"], "draft", "it was not started");
    shop.act("later", "start").expect(200);
    check(end, "DISABLED", "STATIC");
}

pub(crate) fn a_wrong_question_about_a_preview_is_a_problem(engine: Engine) {
    let shop = Shop::open(engine);
    shop.register(&experiment("banner", &["control", "b"]));
    let past = rfc3339(now() - 1_000);
    let years = rfc3339(now() + 3 * 366 * 86_400_000);
    for (path, body, pointer) in [
        ("/api/v1/preview", json!({}), "/unit"),
        ("/api/v1/preview", json!({"unit": ""}), "/unit"),
        ("/api/v1/preview", json!({"unit": "a", "flags": []}), "/flags"),
        ("/api/v1/preview", json!({"unit": "a", "flags": [7]}), "/flags/0"),
        ("/api/v1/preview", json!({"unit": "a", "context": [1]}), "/context"),
        ("/api/v1/preview", json!({"unit": "a", "at": "noon"}), "/at"),
        ("/api/v1/preview", json!({"unit": "a", "exposure": true}), "/exposure"),
        (LINKS, json!({"variant": "b"}), "/flag"),
        (LINKS, json!({"flag": "nothing", "variant": "b"}), "/flag"),
        (LINKS, json!({"flag": "banner", "variant": "c"}), "/variant"),
        (LINKS, json!({"flag": "banner", "variant": "b", "expires_at": past}), "/expires_at"),
        (LINKS, json!({"flag": "banner", "variant": "b", "expires_at": years}), "/expires_at"),
        (LINKS, json!({"flag": "banner", "variant": "b", "experiment": "other"}), "/experiment"),
        (LINKS, json!({"flag": "banner", "variant": "b", "experience": "other"}), "/experience"),
        (LINKS, json!({"flag": "banner", "variant": "b", "version": 1}), "/version"),
    ] {
        let answer = shop.admin.post(path, &body);
        let problem = answer.problem(400);
        assert_eq!(problem.pointers, [pointer], "{answer}");
    }
    let page = shop.podium.client("publishable");
    assert_eq!(page.post("/api/v1/preview", &json!({"unit": "a"})).status, 403);
    let server = shop.podium.client("server");
    assert_eq!(server.post(LINKS, &json!({"flag": "banner", "variant": "b"})).status, 403);
    assert_eq!(page.get("/api/v1/experiments/banner/shadow").status, 403);
    assert_eq!(shop.admin.get("/api/v1/experiments/nothing/shadow").problem(404).slug, "not-found");
}
