//! Links that show one variant, and count nowhere.

use crate::experiences::publish;
use crate::harness::events::{now, order, rfc3339};
use crate::harness::{Book, Engine, Shop, experiment, named, soon};
use crate::preview::{EVALUATE, LINKS, counters, for_gold, gold, logged, of_flag, preview};
use serde_json::{Value, json};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(a_link_shows_its_variant_by_every_protocol_and_counts_nowhere));
    book.both(named!(a_link_shows_a_draft_and_an_experience));
    book.both(named!(an_experiment_of_a_rule_is_previewed_and_linked_like_any));
    book.both(named!(a_link_that_expired_or_was_changed_is_ignored));
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
