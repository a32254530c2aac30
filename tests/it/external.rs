//! What another system says of a shopper decides; and if it does not say it in time, nothing is made up.

use crate::experiences::{act, publish};
use crate::harness::{Book, Engine, Erp, Gate, Question, Said, Shop, experiment, named, soon};
use serde_json::{Value, json};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(what_another_system_says_decides));
    book.both(named!(a_slow_system_is_not_waited_for_and_is_there_the_next_time));
    book.both(named!(what_was_said_is_kept_for_its_time));
    book.both(named!(a_client_cannot_say_what_a_source_says));
    book.both(named!(nothing_follows_from_what_could_not_be_had));
    book.both(named!(a_source_that_is_asked_for_stays));
    book.both(named!(every_protocol_says_what_is_missing));
    book.both(named!(an_explanation_asks_too_and_counts_nothing));
}

pub(crate) const SOURCES: &str = "/api/v1/sources";
pub(crate) const TOKEN: &str = "Bearer hush-hush";
pub(crate) const EXTERNAL_DATA: &str = "PODIUM_EXTERNAL_DATA";

/// A shop whose server may ask systems on this machine.
pub(crate) fn open(engine: Engine) -> Shop {
    Shop::with(engine, Vec::new(), &[(EXTERNAL_DATA, "anywhere"), ("PODIUM_SECRET_ERP", TOKEN)])
}

/// A system that says what `tier` makes of the end of the path.
pub(crate) fn erp(tier: impl Fn(&str) -> Value + Send + Sync + 'static) -> Erp {
    Erp::new(move |question: &Question| {
        let unit = question.path.rsplit('/').next().unwrap();
        Said(200, String::new(), json!({ "customer": { "tier": tier(unit) } }).to_string())
    })
}

/// Every customer is what they are called.
pub(crate) fn named_tiers() -> Erp {
    erp(|unit| json!(unit.split('-').next()))
}

/// A source `erp`, with as much time as there may be: machines that test are busy.
pub(crate) fn source(erp: &Erp, more: &Value) -> Value {
    let mut source =
        json!({ "key": "erp", "url": format!("{}/customers/{{unit}}", erp.url()), "timeout_ms": 200 });
    for (name, value) in more.as_object().into_iter().flatten() {
        source[name] = value.clone();
    }
    source
}

pub(crate) fn register(shop: &Shop, erp: &Erp, more: &Value) -> Value {
    shop.admin.post(SOURCES, &source(erp, more)).expect(201)
}

pub(crate) fn gold() -> Value {
    json!({ "external": { "source": "erp", "field": "customer.tier", "op": "eq", "value": "gold" } })
}

/// An experience that gives `gold` to whom `when` holds of, on a flag of the same name.
pub(crate) fn live(shop: &Shop, key: &str, when: &Value) {
    let definition = json!({
        "key": key, "variants": [{ "key": "gold", "content": "G" }, { "key": "all", "content": "A" }],
        "rules": [{ "key": "golden", "when": when, "serve": "gold" }], "fallback": "all",
    });
    publish(shop, &definition);
}

pub(crate) fn decide(shop: &Shop, unit: &str, flag: &str) -> Value {
    let answer = shop.admin.post("/api/v1/decide", &json!({ "unit": unit, "flags": [flag] })).expect(200);
    answer["decisions"][0].clone()
}

/// Decides until what other systems say is there; a call that came too late is there the next time.
#[track_caller]
pub(crate) fn decide_knowing(shop: &Shop, unit: &str, flag: &str) -> Value {
    soon("what the source says is there", || {
        let decision = decide(shop, unit, flag);
        (decision["reason"] != "UNKNOWN").then_some(decision)
    })
}

#[track_caller]
pub(crate) fn check_unknown(decision: &Value, variant: &str) {
    let found = (&decision["reason"], &decision["variant"], &decision["degraded"]);
    assert_eq!(found, (&json!("UNKNOWN"), &json!(variant), &json!(true)), "{decision}");
    assert!(decision.get("propensity").is_none(), "nobody is assigned: {decision}");
}

/// What a counter says; labels as they are written.
pub(crate) fn counter(shop: &Shop, name: &str) -> u64 {
    let text = shop.admin.get("/metrics").text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
    line.map_or(0, |number| number.parse().unwrap())
}

pub(crate) fn what_another_system_says_decides(engine: Engine) {
    let (shop, erp) = (open(engine), named_tiers());
    let made = register(&shop, &erp, &json!({ "headers": { "Authorization": { "secret": "ERP" } } }));
    live(&shop, "club", &gold());
    let mut definition = experiment("banner", &["control", "b"]);
    definition["when"] = json!({ "audience": "best" });
    shop.admin.post("/api/v1/audiences", &json!({ "key": "best", "condition": gold() })).expect(201);
    shop.run(&definition);
    for (unit, variant, reason) in [("gold-1", "gold", "TARGETING_MATCH"), ("iron-1", "all", "STATIC")] {
        let decision = decide_knowing(&shop, unit, "club");
        assert_eq!(
            (&decision["variant"], &decision["reason"]),
            (&json!(variant), &json!(reason)),
            "{decision}"
        );
        assert!(decision.get("degraded").is_none(), "{decision}");
        let is_in = decide_knowing(&shop, unit, "banner")["reason"] == "SPLIT";
        assert_eq!(is_in, unit == "gold-1", "the audience reads it, too");
        for _ in 0..3 {
            assert_eq!(decide(&shop, unit, "club")["variant"], variant);
        }
        assert_eq!(erp.n_asked(unit), 1, "it is asked once for all of that");
    }
    decide_knowing(&shop, "gold/ä?x=1#y", "club");
    assert_eq!(erp.n_asked("/customers/gold%2F%C3%A4%3Fx%3D1%23y"), 1, "{:?}", erp.asked());
    let is_sent = |question: &Question| {
        question.headers.iter().any(|(name, value)| name == "authorization" && value == TOKEN)
    };
    assert!(erp.asked().iter().all(is_sent));
    for path in [SOURCES, "/api/v1/sources/erp"] {
        let shown = shop.admin.get(path).text();
        assert!(shown.contains("ERP") && !shown.contains("hush"), "{shown}");
    }
    assert!(!made.to_string().contains("hush"), "{made}");
    assert!(shop.podium.log().iter().all(|line| !line.contains("hush")));
    assert!(3 <= counter(&shop, "podium_external_calls_total{outcome=\"fetched\"}"));
    assert!(6 <= counter(&shop, "podium_external_cache_hits_total"));
    let listed = shop.admin.get("/api/v1/audiences/best").expect(200);
    assert_eq!(listed["size"], Value::Null, "nobody is a member of it between requests");
}

pub(crate) fn a_slow_system_is_not_waited_for_and_is_there_the_next_time(engine: Engine) {
    let (mut shop, gate) = (open(engine), Gate::default());
    let erp = {
        let gate = gate.clone();
        erp(move |_| {
            gate.pass();
            json!("gold")
        })
    };
    register(&shop, &erp, &json!({ "timeout_ms": 20 }));
    live(&shop, "club", &gold());
    let mut definition = experiment("banner", &["control", "b"]);
    definition["when"] = gold();
    shop.run(&definition);
    // It answers nobody until all of these are back, and is asked once however many ask.
    for _ in 0..3 {
        check_unknown(&decide(&shop, "ann", "club"), "all");
        check_unknown(&decide(&shop, "ann", "banner"), "control");
    }
    assert_eq!(erp.n_asked("ann"), 1);
    for n in 0..3 {
        check_unknown(&decide(&shop, &format!("bob-{n}"), "banner"), "control");
    }
    assert!(1 <= counter(&shop, "podium_external_calls_total{outcome=\"late\"}"));
    assert_eq!(counter(&shop, "podium_decisions_without_external_total"), 9);
    let explained = |shop: &Shop, decision: &Value| {
        let id = decision["decision_id"].as_str().unwrap();
        shop.admin.get(&format!("/api/v1/decisions/{id}/explain")).expect(200)
    };
    for flag in ["club", "banner"] {
        let why = explained(&shop, &decide(&shop, "ann", flag));
        assert_eq!(why["reason"], "UNKNOWN", "{why}");
        assert!(why["steps"].to_string().contains("could not be had in time"), "{why}");
        assert_ne!(why["agrees"], json!(false), "{why}");
    }
    gate.open();
    assert_eq!(decide_knowing(&shop, "ann", "club")["variant"], "gold");
    assert_eq!(decide_knowing(&shop, "ann", "banner")["reason"], "SPLIT");
    let exposed = || {
        let report = shop.report("banner");
        report.units("control") + report.units("b")
    };
    soon("an exposure is counted", || (1 <= exposed()).then_some(()));
    assert_eq!(exposed(), 1, "only she was assigned");
    shop.check_rebuild();
}

pub(crate) fn what_was_said_is_kept_for_its_time(engine: Engine) {
    let (shop, erp) = (open(engine), named_tiers());
    register(&shop, &erp, &json!({ "ttl_s": 1 }));
    live(&shop, "club", &gold());
    decide_knowing(&shop, "gold-1", "club");
    soon("it is asked again", || {
        decide(&shop, "gold-1", "club");
        (2 <= erp.n_asked("gold-1")).then_some(())
    });
    // What is changed is asked anew at once, where it is now.
    let other = self::erp(|_| json!("iron"));
    let changed = source(&other, &json!({ "ttl_s": 86_400 }));
    let mut changed = changed.as_object().unwrap().clone();
    changed.remove("key");
    let etag = shop.admin.get("/api/v1/sources/erp").etag();
    let edited = shop.admin.edit("PUT", "/api/v1/sources/erp", &etag, Some(&changed.into())).expect(200);
    assert_eq!((&edited["ttl_s"], &edited["revision"]), (&json!(86_400), &json!(2)), "{edited}");
    assert_eq!(decide_knowing(&shop, "gold-1", "club")["variant"], "all");
    assert_eq!(other.n_asked("gold-1"), 1);
    // What else is edited forgets nothing.
    live(&shop, "other", &gold());
    decide_knowing(&shop, "gold-1", "other");
    assert_eq!(other.n_asked("gold-1"), 1);
}

pub(crate) fn a_client_cannot_say_what_a_source_says(engine: Engine) {
    let (shop, erp) = (open(engine), named_tiers());
    register(&shop, &erp, &json!({}));
    live(&shop, "club", &gold());
    decide_knowing(&shop, "iron-1", "club");
    let says = json!({ "customer": { "tier": "gold" } });
    let forged = json!({ "external": { "erp": says }, "erp": says, "customer": { "tier": "gold" },
        "external.erp.customer.tier": "gold" });
    let body = json!({ "unit": "iron-1", "flags": ["club"], "context": forged });
    let decision = shop.admin.post("/api/v1/decide", &body).expect(200)["decisions"][0].clone();
    assert_eq!((&decision["variant"], &decision["reason"]), (&json!("all"), &json!("STATIC")), "{decision}");
    let mut context = forged;
    context["targetingKey"] = json!("iron-1");
    let path = "/ofrep/v1/evaluate/flags/club";
    let answer = shop.admin.post(path, &json!({ "context": context })).expect(200);
    assert_eq!(answer["variant"], "all", "{answer}");
}

pub(crate) fn nothing_follows_from_what_could_not_be_had(engine: Engine) {
    let (shop, gate) = (open(engine), Gate::default());
    let erp = {
        let gate = gate.clone();
        erp(move |_| {
            gate.pass();
            json!("iron")
        })
    };
    register(&shop, &erp, &json!({ "timeout_ms": 1 }));
    let known = |is_known: bool| json!({ "profile": { "fact": "known", "op": "eq", "value": is_known } });
    let absent = json!({ "external": { "source": "erp", "field": "customer.tier", "op": "absent" } });
    for (key, when) in [
        ("not", json!({ "not": gold() })),
        ("not-not", json!({ "not": { "not": gold() } })),
        ("absent", absent),
        ("not-all", json!({ "not": { "all": [gold(), known(false)] } })),
        ("any", json!({ "any": [gold(), known(true)] })),
    ] {
        live(&shop, key, &when);
        check_unknown(&decide(&shop, "ann", key), "all");
    }
    // What the source says makes no difference to these.
    for (key, when, variant) in [
        ("decided-all", json!({ "all": [gold(), known(true)] }), "all"),
        ("decided-any", json!({ "any": [gold(), known(false)] }), "gold"),
    ] {
        live(&shop, key, &when);
        let decision = decide(&shop, "ann", key);
        assert_eq!(decision["variant"], variant, "{key}: {decision}");
        assert!(decision["reason"] != "UNKNOWN" && decision.get("degraded").is_none(), "{key}: {decision}");
    }
    gate.open();
    assert_eq!(decide_knowing(&shop, "ann", "not")["variant"], "gold", "what is known counts");
}

pub(crate) fn a_source_that_is_asked_for_stays(engine: Engine) {
    let (shop, erp) = (open(engine), named_tiers());
    register(&shop, &erp, &json!({}));
    let unknown = json!({ "external": { "source": "crm", "field": "tier", "op": "exists" } });
    let both = json!({ "all": [gold(), { "not": unknown }] });
    let refused = shop.admin.post("/api/v1/audiences", &json!({ "key": "vips", "condition": both }));
    assert_eq!(refused.problem(400).pointers, ["/condition/all/1/not/external/source"]);
    let mut definition = experiment("banner", &["control", "b"]);
    definition["when"] = both;
    let refused = shop.admin.post("/api/v1/experiments", &definition).problem(400);
    assert_eq!(refused.pointers, ["/when/all/1/not/external/source"]);
    assert!(refused.detail.contains("there is no `crm`"), "{}", refused.detail);
    let remove = || shop.admin.edit("DELETE", "/api/v1/sources/erp", "*", None);
    let check_used = |by: &str| {
        let problem = remove().problem(409);
        assert_eq!(problem.slug, "source-in-use");
        assert!(problem.detail.contains(by), "{}", problem.detail);
    };
    let vips = json!({ "key": "vips", "condition": { "not": gold() } });
    shop.admin.post("/api/v1/audiences", &vips).expect(201);
    check_used("`vips`");
    shop.admin.edit("DELETE", "/api/v1/audiences/vips", "*", None).expect(204);
    live(&shop, "club", &gold());
    check_used("`club`");
    for action in ["pause", "archive"] {
        act(&shop, "club", action).expect(200);
    }
    definition["when"] = gold();
    shop.run(&definition);
    check_used("`banner`");
    shop.act("banner", "conclude").expect(200);
    shop.act("banner", "archive").expect(200);
    remove().expect(204);
    assert_eq!(shop.admin.get("/api/v1/sources/erp").problem(404).slug, "not-found");
    // One of the same name knows nothing of the former one.
    assert_eq!(register(&shop, &erp, &json!({}))["revision"], 1);
}

pub(crate) fn every_protocol_says_what_is_missing(engine: Engine) {
    let (shop, gate) = (open(engine), Gate::default());
    let erp = {
        let gate = gate.clone();
        erp(move |_| {
            gate.pass();
            json!("gold")
        })
    };
    register(&shop, &erp, &json!({ "timeout_ms": 1 }));
    live(&shop, "club", &gold());
    let context = json!({ "context": { "targetingKey": "ann" } });
    let one = || shop.admin.post("/ofrep/v1/evaluate/flags/club", &context).expect(200);
    let all = || shop.admin.post("/ofrep/v1/evaluate/flags", &context).expect(200)["flags"][0].clone();
    let answer = one();
    assert_eq!((&answer["reason"], &answer["variant"]), (&json!("UNKNOWN"), &json!("all")), "{answer}");
    assert_eq!(answer["metadata"]["degraded"], true, "{answer}");
    assert_eq!(all()["reason"], "UNKNOWN");
    let by_address = shop.admin.get("/api/v1/decide/club?targetingKey=ann").expect(200);
    assert_eq!(by_address["reason"], "UNKNOWN", "{by_address}");
    gate.open();
    let answer = soon("the source has answered", || Some(one()).filter(|one| one["reason"] != "UNKNOWN"));
    assert_eq!((&answer["variant"], &answer["metadata"]["degraded"]), (&json!("gold"), &json!(false)));
    assert_eq!(all()["reason"], "TARGETING_MATCH");
}

pub(crate) fn an_explanation_asks_too_and_counts_nothing(engine: Engine) {
    let (shop, gate) = (open(engine), Gate::default());
    let erp = {
        let gate = gate.clone();
        erp(move |_| {
            gate.pass();
            json!("gold")
        })
    };
    register(&shop, &erp, &json!({ "timeout_ms": 1 }));
    let vips = json!({ "key": "vips", "condition": { "not": gold() } });
    shop.admin.post("/api/v1/audiences", &vips).expect(201);
    live(&shop, "club", &json!({ "audience": "vips" }));
    let explain = || shop.admin.post("/api/v1/audiences/vips/explain", &json!({ "unit": "ann" })).expect(200);
    let preview = || {
        let body = json!({ "unit": "ann", "flags": ["club"] });
        shop.admin.post("/api/v1/preview", &body).expect(200)["flags"][0].clone()
    };
    let why = explain();
    let leaf = &why["condition"]["clauses"][0];
    assert_eq!((&why["holds"], &leaf["holds"]), (&Value::Null, &Value::Null), "{why}");
    assert_eq!(leaf["found"], "could not be had", "{why}");
    let seen = preview();
    check_unknown(&seen["answer"], "all");
    let rule = &seen["experiences"][0]["rules"][0];
    assert_eq!((&rule["hits"], &rule["condition"]["holds"]), (&Value::Null, &Value::Null), "{rule}");
    assert!(rule.to_string().contains("could not be had"), "{rule}");
    gate.open();
    let why = soon("the source has answered", || Some(explain()).filter(|why| !why["holds"].is_null()));
    let leaf = &why["condition"]["clauses"][0];
    assert_eq!((&why["holds"], &leaf["found"]), (&json!(false), &json!("\"gold\"")), "{why}");
    assert_eq!(preview()["answer"]["reason"], "STATIC");
    assert_eq!(counter(&shop, "podium_decisions_total"), 0);
    assert_eq!(counter(&shop, "podium_decisions_without_external_total"), 0);
}
