//! Looking before anybody is shown anything: previews, links to one variant, and experiments in the shadow.

use crate::harness::events::{now, order, rfc3339, viewed};
use crate::harness::{Book, Engine, Shop, experiment, named, soon};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;

const LINKS: &str = "/api/v1/previews/links";
const EVALUATE: &str = "/ofrep/v1/evaluate/flags";

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(a_preview_is_what_a_decision_will_be_and_changes_nothing));
    book.both(named!(a_preview_shows_every_rule_and_condition));
    book.both(named!(a_preview_of_another_moment_follows_schedules));
    book.both(named!(a_wrong_question_about_a_preview_is_a_problem));
    book.both(named!(a_link_shows_its_variant_by_every_protocol_and_counts_nowhere));
    book.both(named!(a_link_shows_a_draft_and_an_experience));
    book.both(named!(an_experiment_of_a_rule_is_previewed_and_linked_like_any));
    book.both(named!(a_link_that_expired_or_was_changed_is_ignored));
    book.both(named!(in_the_shadow_everyone_gets_the_control_and_the_spread_is_known));
    book.both(named!(out_of_the_shadow_units_get_what_they_were_assigned));
    book.both(named!(a_decision_is_explained_with_what_is_no_longer_known));
    book.both(named!(who_is_held_out_is_told_so));
    book.both(named!(the_command_line_explains_decisions_and_units));
}

#[track_caller]
fn preview(shop: &Shop, body: &Value) -> Value {
    shop.admin.post("/api/v1/preview", body).expect(200)
}

/// The preview of one flag.
#[track_caller]
fn of_flag(shop: &Shop, unit: &str, flag: &str) -> Value {
    preview(shop, &json!({"unit": unit, "flags": [flag]}))["flags"][0].take()
}

/// What counters of decisions say.
fn counters(shop: &Shop) -> Vec<String> {
    let text = shop.admin.get("/metrics").text();
    let counts = |line: &&str| {
        ["podium_decisions", "podium_hit_policy", "podium_events"].iter().any(|name| line.starts_with(name))
    };
    text.lines().filter(counts).map(str::to_owned).collect()
}

/// Stops the server and counts what is in its log, which is what its state is made of.
#[track_caller]
fn logged(shop: &mut Shop) -> u64 {
    shop.check_rebuild();
    let rebuild = shop.podium.rebuild(&["--check"]);
    let text = String::from_utf8(rebuild.stdout).unwrap();
    let n_events = text.split(" events").next().and_then(|n| n.trim().parse().ok());
    n_events.unwrap_or_else(|| panic!("no number of events in {text}"))
}

#[track_caller]
fn publish(shop: &Shop, experience: &Value) {
    shop.admin.post("/api/v1/experiences", experience).expect(201);
    let path = format!("/api/v1/experiences/{}/publish", experience["key"].as_str().unwrap());
    shop.admin.edit("POST", &path, "*", None).expect(200);
}

fn gold() -> Value {
    json!({"all": [{"context": {"attribute": "plan", "op": "eq", "value": "gold"}}]})
}

/// An experience on the flag of an experiment, for some.
fn for_gold(key: &str, flag: &str) -> Value {
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

/// Makes a link and gives its token.
#[track_caller]
fn link(shop: &Shop, body: &Value) -> String {
    let made = shop.admin.post(LINKS, body).expect(201);
    assert_eq!(made["query"], format!("podium_preview={}", made["token"].as_str().unwrap()));
    made["token"].as_str().unwrap().to_owned()
}

/// What a page gets that came by a link.
fn forced(shop: &Shop, flag: &str, token: &Value) -> Value {
    let context = json!({ "podium_preview": token });
    let body = json!({"unit": "ann", "flags": [flag], "context": context});
    shop.podium.client("publishable").post("/api/v1/decide", &body).expect(200)["decisions"][0].take()
}

pub(crate) fn a_link_shows_its_variant_by_every_protocol_and_counts_nowhere(engine: Engine) {
    let mut shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b", "c"]));
    let before = counters(&shop);
    for variant in ["control", "b", "c"] {
        let token = link(&shop, &json!({"flag": "banner", "variant": variant}));
        let decided = forced(&shop, "banner", &json!(token));
        assert_eq!(
            (&decided["variant"], &decided["reason"]),
            (&json!(variant), &json!("STATIC")),
            "{decided}"
        );
        assert_eq!((&decided["forced"], &decided["value"]["title"]), (&json!(true), &json!(variant)));
        for absent in ["decision_id", "propensity", "weights_version"] {
            assert_eq!(decided.get(absent), None, "{decided}");
        }
        let page = shop.podium.client("publishable");
        let context = json!({"context": {"targetingKey": "ann", "podium_preview": token}});
        let one = page.post(&format!("{EVALUATE}/banner"), &context).expect(200);
        let all = page.post(EVALUATE, &context).expect(200)["flags"][0].take();
        let by_address = format!("/api/v1/decide/banner?targetingKey=ann&podium_preview={token}");
        let mail = page.get(&by_address).expect(200);
        for answer in [&one, &all, &mail] {
            assert_eq!(
                (&answer["variant"], &answer["reason"]),
                (&json!(variant), &json!("STATIC")),
                "{answer}"
            );
            assert_eq!(answer["metadata"]["forced"], true, "{answer}");
            for absent in ["experimentId", "sticky", "decisionId"] {
                assert_eq!(answer["metadata"].get(absent), None, "no sign of an exposure: {answer}");
            }
        }
        // What an order follows is no exposure.
        shop.log(&[order("ann", &format!("o-{variant}"), 100, now())]);
    }
    let own = of_flag(&shop, "ann", "banner");
    assert_eq!(own["experiment"]["earlier"], Value::Null, "nothing was remembered: {own}");
    let report = shop.report("banner");
    assert_eq!(["control", "b", "c"].map(|variant| report.units(variant)), [0; 3]);
    let of_decisions = |all: Vec<String>| -> Vec<String> {
        all.into_iter().filter(|line| !line.starts_with("podium_events")).collect()
    };
    assert_eq!(of_decisions(counters(&shop)), of_decisions(before));
    // The others, and she without the link, get what they get.
    assert_eq!(shop.decide("ann", "banner").reason, "SPLIT");
    assert_eq!(shop.decide("ann", "banner").variant.as_deref(), own["answer"]["variant"].as_str());
    assert_eq!(logged(&mut shop), 5, "three orders and two decisions");
}

pub(crate) fn a_link_shows_a_draft_and_an_experience(engine: Engine) {
    let mut shop = Shop::open(engine);
    shop.register(&experiment("banner", &["control", "b"]));
    let draft = link(&shop, &json!({"flag": "banner", "variant": "b"}));
    assert_eq!(forced(&shop, "banner", &json!(draft))["variant"], "b");
    shop.act("banner", "start").expect(200);
    // A second version waits behind the one that runs.
    let mut second = experiment("banner", &["control", "b"]);
    second.as_object_mut().unwrap().remove("key");
    second["variants"][1]["content"] = json!({"title": "second"});
    let made = shop.admin.post("/api/v1/experiments/banner/versions", &second);
    assert_eq!(made.status, 201, "{made}");
    let of_version =
        |version: u32| json!({"flag": "banner", "variant": "b", "experiment": "banner", "version": version});
    for (version, title) in [(1, "b"), (2, "second")] {
        let token = link(&shop, &of_version(version));
        assert_eq!(forced(&shop, "banner", &json!(token))["value"]["title"], title, "version {version}");
    }
    let mut perks = for_gold("perks", "banner");
    shop.admin.post("/api/v1/experiences", &perks).expect(201);
    let gold = link(&shop, &json!({"flag": "banner", "variant": "gold"}));
    perks["key"] = json!("secret");
    perks["flag_key"] = json!("secret");
    perks["server_only"] = json!(true);
    publish(&shop, &perks);
    let secret = link(&shop, &json!({"flag": "secret", "variant": "gold"}));
    for _ in 0..2 {
        let decided = forced(&shop, "banner", &json!(format!("{secret} {gold}")));
        assert_eq!(
            (&decided["experience"], &decided["variant"]),
            (&json!("perks"), &json!("gold")),
            "{decided}"
        );
        assert_eq!(forced(&shop, "banner", &json!([draft]))["variant"], "b", "it is still good");
        assert_eq!(
            forced(&shop, "secret", &json!(secret))["reason"],
            "DEFAULT",
            "a link is no key of a server"
        );
        shop.restart();
    }
}

pub(crate) fn an_experiment_of_a_rule_is_previewed_and_linked_like_any(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&experiment("inner", &["control", "b"]));
    for (key, server_only) in [("outer", false), ("hidden", true)] {
        publish(
            &shop,
            &json!({
                "key": key, "server_only": server_only,
                "variants": [{"key": "plain", "content": {"title": "plain"}}], "fallback": "plain",
                "rules": [{"key": "golden", "when": gold(), "serve_experiment": "inner"}],
            }),
        );
    }
    let body = json!({"unit": "ann", "flags": ["outer"], "context": {"plan": "gold"}});
    let golden = preview(&shop, &body)["flags"][0].take();
    let rule = &golden["experiences"][0]["rules"][0];
    assert_eq!(
        (&rule["experiment"], &rule["serve"], &rule["hits"]),
        (&json!("inner"), &json!(null), &json!(true))
    );
    let experiment = &golden["experiment"];
    assert_eq!(experiment["key"], "inner", "{golden}");
    assert_eq!(experiment["assigned"]["variant"], golden["answer"]["variant"], "{golden}");
    assert_eq!(of_flag(&shop, "ann", "outer").get("experiment"), None, "the fallback has none");
    let token = link(&shop, &json!({"flag": "outer", "variant": "b"}));
    let decided = forced(&shop, "outer", &json!(token));
    assert_eq!((&decided["variant"], &decided["forced"]), (&json!("b"), &json!(true)), "{decided}");
    let token = link(&shop, &json!({"flag": "hidden", "variant": "b"}));
    assert_eq!(forced(&shop, "hidden", &json!(token))["reason"], "DEFAULT", "as hidden as its experience");
}

pub(crate) fn a_link_that_expired_or_was_changed_is_ignored(engine: Engine) {
    let shop = Shop::open(engine);
    for flag in ["banner", "other"] {
        shop.run(&experiment(flag, &["control", "b"]));
    }
    let expires_at = now() + 1_500;
    let soon_gone =
        link(&shop, &json!({"flag": "banner", "variant": "b", "expires_at": rfc3339(expires_at)}));
    let good = link(&shop, &json!({"flag": "banner", "variant": "b"}));
    assert_eq!(forced(&shop, "other", &json!(good)).get("forced"), None, "of another flag");
    for wrong in [json!(good[1..]), json!(format!("{good}YQ")), json!("x"), json!(7), json!(null), json!({})]
    {
        let decided = forced(&shop, "banner", &wrong);
        assert_eq!((decided.get("forced"), &decided["reason"]), (None, &json!("SPLIT")), "{wrong}");
    }
    let gone = soon("it expired", || {
        let decided = forced(&shop, "banner", &json!(soon_gone));
        decided.get("forced").is_none().then(now)
    });
    assert!(expires_at <= gone, "not before its time");
    assert_eq!(forced(&shop, "banner", &json!(good))["forced"], true);
}

/// Units by what they are assigned, as a preview knows.
fn assigned(shop: &Shop, units: &[String], flag: &str) -> BTreeMap<String, String> {
    let variant = |unit: &String| {
        let found = of_flag(shop, unit, flag);
        (unit.clone(), found["experiment"]["assigned"]["variant"].as_str().unwrap().to_owned())
    };
    units.iter().map(variant).collect()
}

fn spread(shop: &Shop, key: &str) -> Value {
    shop.admin.get(&format!("/api/v1/experiments/{key}/shadow")).expect(200)
}

pub(crate) fn in_the_shadow_everyone_gets_the_control_and_the_spread_is_known(engine: Engine) {
    let mut shop = Shop::open(engine);
    let mut definition = experiment("banner", &["control", "b", "c"]);
    definition["shadow"] = json!(true);
    definition["variants"][1]["weight"] = json!(2.0);
    shop.run(&definition);
    let empty = spread(&shop, "banner");
    assert_eq!((&empty["units"], &empty["p_value"]), (&json!(0), &json!(null)), "{empty}");
    let units: Vec<String> = (0..4_000).map(|unit| format!("unit-{unit}")).collect();
    for decision in shop.decide_all(&units, "banner") {
        let found = (decision.variant.as_deref(), decision.reason.as_str(), decision.propensity);
        assert_eq!(found, (Some("control"), "DISABLED", None));
    }
    // Asking again, by whatever protocol, and saying that one saw it adds nobody.
    shop.decide_all(&units[..100], "banner");
    let context = json!({"context": {"targetingKey": "unit-1"}});
    let answer = shop.admin.post(&format!("{EVALUATE}/banner"), &context).expect(200);
    assert_eq!((&answer["variant"], &answer["reason"]), (&json!("control"), &json!("DISABLED")), "{answer}");
    assert_eq!(answer["metadata"].get("experimentId"), None, "no sign of an exposure: {answer}");
    shop.log(&[viewed("unit-1", "banner", "b", now()), order("unit-1", "o-1", 100, now())]);
    for _ in 0..2 {
        let found = spread(&shop, "banner");
        assert_eq!(
            (&found["units"], &found["shadow"], &found["left_out"]),
            (&json!(4_000), &json!(true), &json!(0))
        );
        for (variant, wanted) in found["variants"].as_array().unwrap().iter().zip([0.25, 0.5, 0.25]) {
            assert_eq!(variant["wanted"], wanted, "{found}");
            let share = variant["found"].as_f64().unwrap();
            assert!((share - variant["units"].as_f64().unwrap() / 4_000.0).abs() < 1e-12, "{found}");
            assert!((share - wanted).abs() < 0.04, "{found}");
        }
        let p_value = found["p_value"].as_f64().unwrap();
        assert!(1e-6 < p_value && p_value <= 1.0, "{found}");
        let report = shop.report("banner");
        assert_eq!(["control", "b", "c"].map(|variant| report.units(variant)), [0; 3], "nobody saw anything");
        let warnings = report.0["health"]["warnings"].to_string();
        assert!(warnings.contains(r#""code":"shadow""#), "{warnings}");
        shop.restart();
    }
    shop.check_rebuild();
}

pub(crate) fn out_of_the_shadow_units_get_what_they_were_assigned(engine: Engine) {
    let mut shop = Shop::open(engine);
    let mut definition = experiment("banner", &["control", "b", "c"]);
    definition["shadow"] = json!(true);
    shop.run(&definition);
    let units: Vec<String> = (0..60).map(|unit| format!("unit-{unit}")).collect();
    shop.decide_all(&units, "banner");
    let wanted = assigned(&shop, &units, "banner");
    // Those who come after a change of weights are drawn anew; these keep what they have.
    let path = "/api/v1/experiments/banner/variants";
    shop.admin.edit("POST", path, "*", Some(&json!({"key": "d", "weight": 9.0}))).expect(201);
    shop.restart();
    assert_eq!(assigned(&shop, &units, "banner"), wanted);
    shop.patch("banner", &json!({"shadow": false})).expect(200);
    let decided = shop.decide_all(&units, "banner");
    let found: BTreeMap<_, _> =
        decided.iter().map(|one| (one.unit.clone(), one.variant.clone().unwrap())).collect();
    assert_eq!(found, wanted);
    assert!(decided.iter().all(|one| one.reason == "SPLIT" && one.weights_version == Some(1)));
    let report = soon("they count", || {
        let report = shop.report("banner");
        let units: u64 = ["control", "b", "c", "d"].map(|variant| report.units(variant)).iter().sum();
        (units == 60).then_some(report)
    });
    for variant in ["control", "b", "c", "d"] {
        let n = wanted.values().filter(|one| *one == variant).count() as u64;
        assert_eq!(report.units(variant), n, "{variant}");
    }
    let back = shop.patch("banner", &json!({"shadow": true})).problem(409);
    assert_eq!(back.slug, "needs-new-version");
    shop.check_rebuild();
}

/// How a logged decision is explained.
#[track_caller]
fn explanation(shop: &Shop, id: &str) -> Value {
    soon("the decision is logged", || {
        let answer = shop.admin.get(&format!("/api/v1/decisions/{id}/explain"));
        if answer.status == 404 { None } else { Some(answer.expect(200)) }
    })
}

#[track_caller]
fn check_steps(explained: &Value, said: &str) {
    let steps = explained["steps"].as_array().unwrap();
    assert!(steps.iter().any(|step| step.as_str().unwrap().contains(said)), "`{said}` in {explained}");
}

pub(crate) fn a_decision_is_explained_with_what_is_no_longer_known(engine: Engine) {
    let shop = Shop::open(engine);
    let mut definition = experiment("banner", &["control", "b"]);
    definition["when"] = gold();
    shop.run(&definition);
    let mut shadow = experiment("shadow", &["control", "b"]);
    shadow["shadow"] = json!(true);
    shop.run(&shadow);
    publish(&shop, &for_gold("perks", "perks"));
    let decide = |unit: &str, flag: &str, plan: &str| -> Value {
        let body = json!({"unit": unit, "flags": [flag], "context": {"plan": plan}});
        let decision = shop.admin.post("/api/v1/decide", &body).expect(200)["decisions"][0].take();
        explanation(&shop, decision["decision_id"].as_str().unwrap())
    };
    let outside = decide("ann", "banner", "silver");
    assert_eq!((&outside["agrees"], &outside["reason"]), (&json!(true), &json!("DISABLED")), "{outside}");
    check_steps(&outside, "did not meet the condition");
    check_steps(&outside, "is not kept");
    let inside = decide("ann", "banner", "gold");
    assert_eq!((&inside["agrees"], &inside["reason"]), (&json!(true), &json!("SPLIT")), "{inside}");
    check_steps(&inside, "met the condition");
    let of_experience = decide("ann", "perks", "gold");
    assert_eq!(of_experience["rules"], json!(["golden"]), "{of_experience}");
    check_steps(&of_experience, "is not kept");
    let in_shadow = decide("ann", "shadow", "gold");
    assert_eq!(
        (&in_shadow["agrees"], &in_shadow["variant"]),
        (&json!(true), &json!("control")),
        "{in_shadow}"
    );
    check_steps(&in_shadow, "in the shadow");
    // Another id of a person is drawn for the person.
    shop.admin.post("/api/v1/profiles/bob/aliases", &json!({"id": "phone"})).expect(200);
    let own = decide("bob", "banner", "gold");
    let other = decide("phone", "banner", "gold");
    assert_eq!(other["agrees"], true, "{other}");
    assert_eq!((&other["unit"], &other["asked_as"]), (&json!("bob"), &json!("phone")), "{other}");
    assert_eq!((&other["variant"], own.get("asked_as")), (&own["variant"], None), "{own}");
    check_steps(&other, "another id");
}

pub(crate) fn who_is_held_out_is_told_so(engine: Engine) {
    let shop = Shop::open(engine);
    let mut holdout = experiment("holdout", &["held-out", "others"]);
    holdout["holdout"] = json!(true);
    shop.run(&holdout);
    shop.run(&experiment("banner", &["control", "b"]));
    let mut is_told = [false; 2];
    for unit in (0..20).map(|unit| format!("unit-{unit}")) {
        let previewed = of_flag(&shop, &unit, "banner");
        let held_out = previewed["holdout"]["held_out"].as_bool().unwrap();
        let decision = shop.decide(&unit, "banner");
        assert_eq!(held_out, decision.reason == "DISABLED", "{previewed}");
        assert_eq!(previewed["answer"]["variant"].as_str(), decision.variant.as_deref(), "{previewed}");
        let explained = explanation(&shop, &decision.id.unwrap());
        assert_eq!(explained["agrees"], true, "{explained}");
        if held_out {
            check_steps(&explained, "the global holdout");
        }
        is_told[usize::from(held_out)] = true;
    }
    assert_eq!(is_told, [true; 2], "some are, some are not");
}

/// Runs `podium explain` and gives what it printed.
#[track_caller]
fn explain(shop: &Shop, arguments: &[&str]) -> String {
    let done = Command::new(env!("CARGO_BIN_EXE_podium"))
        .args(["explain", "--url", shop.podium.url(), "--data-dir"])
        .arg(shop.data_dir())
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "{text}{}", String::from_utf8_lossy(&done.stderr));
    text
}

pub(crate) fn the_command_line_explains_decisions_and_units(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b"]));
    publish(&shop, &for_gold("perks", "banner"));
    let decision = shop.decide("ann", "banner");
    let id = decision.id.unwrap();
    explanation(&shop, &id);
    let text = explain(&shop, &[&id]);
    assert!(text.contains("`ann` got") && text.contains("comes to the same"), "{text}");
    let json: Value = serde_json::from_str(&explain(&shop, &[&id, "--json"])).unwrap();
    assert_eq!((&json["decision_id"], &json["agrees"]), (&json!(id), &json!(true)));
    let asked = ["--unit", "ann", "--flag", "banner", "--context", r#"{"plan": "gold"}"#];
    let text = explain(&shop, &asked);
    for said in ["would get `gold`", "experience perks: live, priority 3", "rule golden", "was assigned"] {
        assert!(text.contains(said), "`{said}` in {text}");
    }
    let at = rfc3339(now() + 86_400_000);
    let asked: Vec<&str> = asked.into_iter().chain(["--at", &at, "--json"]).collect();
    let json: Value = serde_json::from_str(&explain(&shop, &asked)).unwrap();
    assert_eq!(json["flags"][0]["answer"]["variant"], "gold", "{json}");
    for wrong in [&[][..], &[&*id, "--unit", "ann"], &["--flag", "banner"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_podium"));
        let done = command.arg("explain").args(wrong).output().unwrap();
        assert_eq!(done.status.code(), Some(2), "{wrong:?}");
    }
}
