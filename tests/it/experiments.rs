//! Registering, reading, editing and the lifecycle.

use crate::harness::{Book, Engine, Shop, experiment, named};
use serde_json::{Value, json};

const PATH: &str = "/api/v1/experiments/banner";

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(what_was_registered_is_read_back));
    book.both(named!(a_taken_key_or_flag_is_a_conflict));
    book.both(named!(a_life_goes_one_way_but_for_the_pause));
    book.both(named!(an_edit_needs_the_tag_of_what_it_edits));
    book.both(named!(a_running_experiment_refuses_edits_that_would_break_its_figures));
    book.both(named!(a_new_version_has_figures_of_its_own));
    book.both(named!(a_list_is_read_page_by_page));
    book.both(named!(of_two_edits_at_once_one_is_refused));
}

pub(crate) fn what_was_registered_is_read_back(engine: Engine) {
    let mut shop = Shop::open(engine);
    let definition = json!({
        "key": "banner", "name": "Banner", "description": "Does red sell?", "flag_key": "home.banner",
        "value_type": "object", "server_only": true, "unit": "device",
        "variants": [
            {"key": "control", "name": "As it is", "weight": 1.0, "content": {"color": "grey", "n": 1.5}},
            {"key": "red", "name": "Red", "control": true, "weight": 3.0, "content": ["just", "a", "list"]},
        ],
        "primary_metric": {"metric": "conversion", "window_s": 3_600},
        "secondary_metrics": ["aov"],
        "guardrail_metrics": ["net_revenue"],
        "allocator": {"type": "thompson", "floor": 0.02, "control_floor": 0.2, "min_units": 50},
        "units_per_version": 250, "stickiness": "rebalance", "exposure": "event", "traffic": 0.75,
        "exclusion_group": {"key": "home", "share": 0.5}, "currency": "EUR", "salt": "pepper",
        "schedule": {"start_at": "2999-01-01T00:00:00Z"},
    });
    let answer = shop.admin.post("/api/v1/experiments", &definition);
    let registered = answer.expect(201);
    assert_eq!(answer.header("location"), Some(PATH), "where it is found");
    let check = |found: &Value| {
        for name in [
            "key",
            "name",
            "description",
            "flag_key",
            "value_type",
            "server_only",
            "unit",
            "stickiness",
            "exposure",
            "traffic",
            "currency",
            "salt",
            "units_per_version",
        ] {
            assert_eq!(found[name], definition[name], "{name}");
        }
        assert_eq!(found["variants"][0]["content"], json!({"color": "grey", "n": 1.5}));
        assert_eq!(found["variants"][1]["control"], true);
        assert_eq!(found["primary_metric"]["window_s"], 3_600);
        assert_eq!(found["secondary_metrics"][0]["metric"], "aov");
        assert_eq!(found["guardrail_metrics"][0]["metric"], "net_revenue");
        assert_eq!(found["allocator"]["control_floor"], 0.2);
        assert_eq!(found["exclusion_group"]["share"], 0.5);
        assert_eq!(found["schedule"]["start_at"], "2999-01-01T00:00:00Z");
        assert_eq!((&found["status"], &found["version"]), (&json!("draft"), &json!(1)));
        let weights = &found["weights"]["weights"];
        let sum = weights["control"].as_f64().unwrap() + weights["red"].as_f64().unwrap();
        assert!((sum - 1.0).abs() < 1e-12, "{weights}");
    };
    check(&registered);
    check(&shop.experiment("banner"));
    assert_eq!(shop.admin.get(PATH).etag(), answer.etag());
    shop.restart();
    check(&shop.experiment("banner"));
    assert_eq!(shop.experiment("banner"), registered, "nothing changed by a restart");
}

pub(crate) fn a_taken_key_or_flag_is_a_conflict(engine: Engine) {
    let shop = Shop::open(engine);
    shop.register(&experiment("banner", &["control", "b"]));
    let problem = shop.admin.post("/api/v1/experiments", &experiment("banner", &["x", "y"])).problem(409);
    assert_eq!(problem.slug, "experiment-key-taken");
    let mut other = experiment("other", &["x", "y"]);
    other["flag_key"] = json!("banner");
    let problem = shop.admin.post("/api/v1/experiments", &other).problem(409);
    assert_eq!(problem.slug, "flag-key-taken");
    assert_eq!(shop.admin.get("/api/v1/experiments/other").status, 404, "nothing of it was registered");
}

pub(crate) fn a_life_goes_one_way_but_for_the_pause(engine: Engine) {
    let shop = Shop::open(engine);
    shop.register(&experiment("banner", &["control", "b"]));
    let check = |action: &str, leads_to: Option<&str>| {
        let before = shop.experiment("banner");
        let answer = shop.act("banner", action);
        if let Some(status) = leads_to {
            assert_eq!(answer.expect(200)["status"], status, "{action}");
            assert_eq!(answer.etag(), shop.admin.get(PATH).etag(), "{action}");
        } else {
            let problem = answer.problem(409);
            assert_eq!(problem.slug, "illegal-transition", "{action}");
            assert_eq!(shop.experiment("banner"), before, "a refusal changes nothing");
        }
    };
    for (action, leads_to) in [
        ("pause", None),
        ("conclude", None),
        ("start", Some("running")),
        ("start", None),
        ("archive", None),
        ("pause", Some("paused")),
        ("pause", None),
        ("archive", None),
        ("start", Some("running")),
        ("conclude", Some("concluded")),
        ("start", None),
        ("pause", None),
        ("conclude", None),
        ("archive", Some("archived")),
        ("start", None),
        ("pause", None),
        ("conclude", None),
        ("archive", None),
    ] {
        check(action, leads_to);
    }
    let end = shop.experiment("banner");
    assert!(end["started_at"].is_string() && end["concluded_at"].is_string(), "{end}");
}

pub(crate) fn an_edit_needs_the_tag_of_what_it_edits(engine: Engine) {
    let shop = Shop::open(engine);
    shop.register(&experiment("banner", &["control", "b"]));
    let patch = json!({"name": "Red banner"});
    let body = patch.to_string();
    let problem = shop.admin.call("PATCH", PATH, &[], Some(body.as_bytes())).problem(428);
    assert_eq!(problem.slug, "if-match-missing");
    let first = shop.admin.get(PATH).etag();
    let edited = shop.admin.edit("PATCH", PATH, &first, Some(&patch));
    assert_eq!(edited.expect(200)["name"], "Red banner");
    let second = edited.etag();
    assert_ne!(first, second);
    let stale = shop.admin.edit("PATCH", PATH, &first, Some(&json!({"name": "Blue banner"})));
    assert_eq!(stale.problem(412).slug, "edit-conflict");
    assert_eq!(stale.etag(), second, "the current tag, to read again and retry");
    assert_eq!(shop.experiment("banner")["name"], "Red banner");
    for (method, path) in [
        ("POST", format!("{PATH}/start")),
        ("POST", format!("{PATH}/variants")),
        ("DELETE", format!("{PATH}/variants/b")),
    ] {
        let body: &[u8] = if path.ends_with("variants") { br#"{"key":"c"}"# } else { b"{}" };
        let missing = shop.admin.call(method, &path, &[], Some(body));
        assert_eq!(missing.problem(428).slug, "if-match-missing", "{method} {path}");
        let stale = shop.admin.call(method, &path, &[("If-Match", &first)], Some(body));
        assert_eq!(stale.problem(412).slug, "edit-conflict", "{method} {path}");
    }
    shop.admin.edit("POST", &format!("{PATH}/start"), &second, Some(&json!({}))).expect(200);
}

pub(crate) fn a_running_experiment_refuses_edits_that_would_break_its_figures(engine: Engine) {
    let shop = Shop::open(engine);
    shop.register(&experiment("banner", &["control", "b"]));
    let variants = json!([{"key": "control"}, {"key": "b", "weight": 4.0}]);
    shop.patch("banner", &json!({"variants": variants})).expect(200);
    shop.act("banner", "start").expect(200);
    for allowed in [
        json!({"name": "Red"}),
        json!({"description": "why"}),
        json!({"traffic": 0.5}),
        json!({"schedule": {"end_at": "2999-01-01T00:00:00Z"}}),
    ] {
        shop.patch("banner", &allowed).expect(200);
    }
    let before = shop.experiment("banner");
    for refused in [
        json!({"variants": [{"key": "control"}, {"key": "z"}]}),
        json!({"primary_metric": "aov"}),
        json!({"salt": "other"}),
        json!({"unit": "session"}),
        json!({"currency": "EUR"}),
    ] {
        let problem = shop.patch("banner", &refused).problem(409);
        assert_eq!(problem.slug, "needs-new-version", "{refused}");
    }
    assert_eq!(shop.experiment("banner"), before, "a refusal changes nothing");
}

pub(crate) fn a_new_version_has_figures_of_its_own(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b"]));
    let units: Vec<String> = (0..400).map(|unit| format!("unit-{unit}")).collect();
    let before = shop.decide_all(&units, "banner");
    let drafted = shop.admin.post(&format!("{PATH}/versions"), &json!({"currency": "EUR"})).expect(201);
    assert_eq!((&drafted["version"], &drafted["status"]), (&json!(2), &json!("draft")));
    assert_eq!(shop.decide("unit-0", "banner").reason, "SPLIT", "the first version still serves");
    let etag = shop.admin.get(&format!("{PATH}?version=2")).etag();
    let path = format!("{PATH}/start?version=2");
    shop.admin.edit("POST", &path, &etag, Some(&json!({}))).expect(200);
    let first = shop.admin.get(&format!("{PATH}?version=1")).expect(200);
    assert_eq!(first["status"], "concluded");
    let after = shop.decide_all(&units, "banner");
    let n_moved = before.iter().zip(&after).filter(|(before, after)| before.variant != after.variant).count();
    assert!((120..=280).contains(&n_moved), "a salt of its own draws anew: {n_moved} of 400 moved");
    let units_of = |version: u32| {
        let answer = shop.admin.get(&format!("{PATH}/report?version={version}")).expect(200);
        let report = crate::harness::Report(answer);
        report.units("control") + report.units("b")
    };
    crate::harness::soon("both versions have their exposures", || {
        (units_of(1) == 400 && units_of(2) == 400).then_some(())
    });
}

pub(crate) fn a_list_is_read_page_by_page(engine: Engine) {
    let shop = Shop::open(engine);
    let keys: Vec<String> = (0..7).map(|number| format!("banner-{number}")).collect();
    for key in &keys {
        shop.register(&experiment(key, &["control", "b"]));
    }
    shop.act("banner-3", "start").expect(200);
    let mut found = Vec::new();
    let mut path = "/api/v1/experiments?limit=3".to_owned();
    for _ in 0..4 {
        let page = shop.admin.get(&path).expect(200);
        let data = page["data"].as_array().unwrap();
        assert!(data.len() <= 3, "{page}");
        found.extend(data.iter().map(|each| each["key"].as_str().unwrap().to_owned()));
        let cursor = match &page["next_cursor"] {
            Value::Null => break,
            Value::String(cursor) => cursor.clone(),
            cursor => cursor.to_string(),
        };
        path = format!("/api/v1/experiments?limit=3&cursor={cursor}");
    }
    found.sort();
    assert_eq!(found, keys, "each once");
    let running = shop.admin.get("/api/v1/experiments?status=running").expect(200);
    let running: Vec<&Value> = running["data"].as_array().unwrap().iter().map(|each| &each["key"]).collect();
    assert_eq!(running, ["banner-3"]);
}

pub(crate) fn of_two_edits_at_once_one_is_refused(engine: Engine) {
    let shop = Shop::open(engine);
    shop.register(&experiment("banner", &["control", "b"]));
    for _ in 0..10 {
        let etag = shop.admin.get(PATH).etag();
        let statuses = std::thread::scope(|scope| {
            let edits = ["left", "right"].map(|name| {
                let (client, etag) = (shop.admin.clone(), &etag);
                scope.spawn(move || client.edit("PATCH", PATH, etag, Some(&json!({"name": name}))).status)
            });
            edits.map(|edit| edit.join().unwrap())
        });
        let mut sorted = statuses;
        sorted.sort_unstable();
        assert_eq!(sorted, [200, 412]);
    }
}
