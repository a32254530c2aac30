//! Whatever is wrong with a request, the answer is a problem document that names the field.

use crate::harness::{Book, Engine, Expected, Faults, Shop, any, at, experiment, named, of_kind};
use serde_json::{Value, json};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(a_wrong_definition_is_a_problem_that_names_the_field));
    book.both(named!(a_wrong_edit_is_a_problem_that_names_the_field));
    book.both(named!(a_wrong_decide_call_is_a_problem_that_names_the_field));
    book.both(named!(a_wrong_query_is_a_problem));
    book.both(named!(an_unknown_path_or_method_is_a_problem));
    book.both(named!(a_body_that_cannot_be_read_is_a_problem));
}

/// Places a value in a copy of a good definition.
fn with(pointer: &str, value: Value) -> Value {
    let mut definition = experiment("wrong", &["control", "b"]);
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = definition.pointer_mut(parent).unwrap();
    match parent.as_array_mut() {
        Some(list) => list[name.parse::<usize>().unwrap()] = value,
        None => parent[name] = value,
    }
    definition
}

fn without(name: &str) -> Value {
    let mut definition = experiment("wrong", &["control", "b"]);
    definition.as_object_mut().unwrap().remove(name);
    definition
}

/// A definition, the statuses and slug it may get, and the place that must be named.
type Case = (Value, &'static [u16], Option<&'static str>, &'static str);

const BAD: &[u16] = &[400, 422];

fn wrong_fields() -> Vec<Case> {
    let invalid = Some("invalid-field");
    vec![
        (with("/trafic", json!(0.5)), &[400], invalid, "/trafic"),
        (with("/variants/1/wieght", json!(1)), &[400], invalid, "/variants/1/wieght"),
        (with("/primary_metric/windows", json!(1)), &[400], invalid, "/primary_metric*"),
        (with("/allocator", json!({"type": "thompson", "flor": 0.1})), &[400], invalid, "/allocator*"),
        (
            with("/exclusion_group", json!({"key": "g", "share": 0.5, "end": 1})),
            &[400],
            invalid,
            "/exclusion_group*",
        ),
        (with("/schedule", json!({"start": "2999-01-01T00:00:00Z"})), &[400], invalid, "/schedule*"),
        (without("key"), BAD, None, "/key"),
        (without("variants"), BAD, None, "/variants"),
        (without("primary_metric"), BAD, None, "/primary_metric"),
        (with("/key", json!("a b")), BAD, None, "/key"),
        (with("/key", json!("")), BAD, None, "/key"),
        (with("/key", json!("-a")), BAD, None, "/key"),
        (with("/key", json!("a".repeat(101))), BAD, None, "/key"),
        (with("/key", json!(7)), BAD, None, "/key"),
        (with("/key", Value::Null), BAD, None, "/key"),
        (with("/flag_key", json!("a/b")), BAD, None, "/flag_key"),
        (with("/name", json!(7)), BAD, None, "/name"),
        (with("/name", json!("x".repeat(2_001))), BAD, None, "/name"),
        (with("/description", json!(["x"])), BAD, None, "/description"),
        (with("/salt", json!("x".repeat(2_001))), BAD, None, "/salt"),
        (with("/unit", json!("planet")), BAD, None, "/unit"),
        (with("/stickiness", json!("glue")), BAD, None, "/stickiness"),
        (with("/exposure", json!(true)), BAD, None, "/exposure"),
        (with("/traffic", json!(1.5)), BAD, None, "/traffic"),
        (with("/traffic", json!(-0.1)), BAD, None, "/traffic"),
        (with("/traffic", json!("half")), BAD, None, "/traffic"),
        (with("/currency", json!("EURO")), BAD, None, "/currency"),
        (with("/currency", json!(978)), BAD, None, "/currency"),
        (with("/units_per_version", json!(9)), BAD, None, "/units_per_version"),
        (with("/units_per_version", json!(-1)), BAD, None, "/units_per_version"),
        (with("/units_per_version", json!(1.5)), BAD, None, "/units_per_version"),
        (with("/schedule", json!({"start_at": "soon"})), BAD, None, "/schedule/start_at"),
        (
            with("/schedule", json!({"start_at": "2999-01-02T00:00:00Z", "end_at": "2999-01-01T00:00:00Z"})),
            BAD,
            None,
            "/schedule/end_at",
        ),
        (with("/exclusion_group", json!({"key": "g", "share": 0})), BAD, None, "/exclusion_group/share"),
        (with("/exclusion_group", json!({"key": "g", "share": 1.1})), BAD, None, "/exclusion_group/share"),
        (with("/exclusion_group", json!({"key": "g g", "share": 0.5})), BAD, None, "/exclusion_group/key"),
        (
            with("/exclusion_group", json!({"key": "g", "share": 0.5, "start": 0.6})),
            BAD,
            None,
            "/exclusion_group/start",
        ),
        (with("/allocator", json!({"type": "softmax"})), BAD, None, "/allocator*"),
        (with("/allocator", json!({})), BAD, None, "/allocator*"),
        (with("/allocator", json!("thompson")), BAD, None, "/allocator*"),
        (with("/allocator", json!({"type": "thompson", "epsilon": 0.1})), BAD, None, "/allocator*"),
        (with("/allocator", json!({"type": "thompson", "floor": 0.6})), BAD, None, "/allocator*"),
        (with("/allocator", json!({"type": "thompson", "floor": -1})), BAD, None, "/allocator*"),
        (with("/allocator", json!({"type": "top_two", "beta": 2})), BAD, None, "/allocator*"),
        (with("/allocator", json!({"type": "ucb1", "window_days": 0})), BAD, None, "/allocator*"),
        (with("/allocator", json!({"type": "fixed", "half_life_days": 7})), BAD, None, "/allocator*"),
        (with("/allocator", json!({"type": "thompson", "uniform_slice": 0.6})), BAD, None, "/allocator*"),
    ]
}

fn wrong_parts() -> Vec<Case> {
    let unknown = Some("unknown-metric");
    let config = Some("metric-config");
    vec![
        (with("/variants", json!([])), BAD, None, "/variants"),
        (with("/variants", json!([{"key": "alone"}])), BAD, None, "/variants"),
        (with("/variants", json!({"control": {}})), BAD, None, "/variants"),
        (with("/variants/1", json!("b")), BAD, None, "/variants/1"),
        (with("/variants/1/key", json!("b b")), BAD, None, "/variants/1/key"),
        (with("/variants/1/key", json!("control")), BAD, None, "/variants/1/key"),
        (with("/variants/1", json!({"weight": 1})), BAD, None, "/variants/1*"),
        (with("/variants/1/weight", json!(-1)), BAD, None, "/variants/1/weight"),
        (with("/variants/1/weight", json!("1")), BAD, None, "/variants/1/weight"),
        (with("/variants/1/control", json!("yes")), BAD, None, "/variants/1/control"),
        (
            with("/variants", json!([{"key": "a", "control": true}, {"key": "b", "control": true}])),
            BAD,
            None,
            "/variants/1/control",
        ),
        (
            with("/variants", json!([{"key": "a", "weight": 0}, {"key": "b", "weight": 0}])),
            BAD,
            None,
            "/variants",
        ),
        (with("/primary_metric", json!("nobody_knows")), &[422], unknown, "/primary_metric*"),
        (with("/primary_metric/metric", json!("nobody_knows")), &[422], unknown, "/primary_metric*"),
        (
            with("/secondary_metrics/1/metric", json!("nobody_knows")),
            &[422],
            unknown,
            "/secondary_metrics/1*",
        ),
        (with("/guardrail_metrics", json!(["nobody_knows"])), &[422], unknown, "/guardrail_metrics/0*"),
        (with("/primary_metric/config", json!({"nonsense": 1})), &[422], config, "/primary_metric/config*"),
        (
            with("/secondary_metrics/2", json!({"metric": "aov", "config": {"nonsense": {}}})),
            &[422],
            config,
            "/secondary_metrics/2/config*",
        ),
        (with("/primary_metric/config", json!(7)), BAD, None, "/primary_metric*"),
        (with("/primary_metric/window_s", json!(0)), BAD, None, "/primary_metric/window_s"),
        (with("/primary_metric/window_s", json!("week")), BAD, None, "/primary_metric*"),
        (with("/primary_metric/direction", json!("up")), BAD, None, "/primary_metric*"),
        (with("/primary_metric", json!(7)), BAD, None, "/primary_metric*"),
        (with("/secondary_metrics", json!(["aov", "aov"])), BAD, None, "/secondary_metrics/1"),
        (with("/secondary_metrics", json!("aov")), BAD, None, "/secondary_metrics"),
    ]
}

pub(crate) fn a_wrong_definition_is_a_problem_that_names_the_field(engine: Engine) {
    let mut shop = Shop::open(engine);
    let mut faults = Faults::default();
    for (definition, statuses, slug, place) in wrong_fields().into_iter().chain(wrong_parts()) {
        let answer = shop.admin.post("/api/v1/experiments", &definition);
        faults.check(
            &format!("a definition wrong at {place}"),
            &answer,
            Expected { statuses, slug, place: Some(place) },
        );
    }
    for body in [json!([]), json!("x"), json!(7), Value::Null] {
        let answer = shop.admin.post("/api/v1/experiments", &body);
        faults.check(&body.to_string(), &answer, any(BAD));
    }
    // Two faults are both named.
    let mut twice = with("/traffic", json!(2));
    twice["variants"][1]["weight"] = json!(-1);
    let answer = shop.admin.post("/api/v1/experiments", &twice);
    faults.check("two faults, the one", &answer, at(BAD, "/traffic"));
    faults.check("two faults, the other", &answer, at(BAD, "/variants/1/weight"));
    let listed = shop.admin.get("/api/v1/experiments").expect(200);
    if listed["data"] != json!([]) {
        faults.add(format!("something was registered: {listed}"));
    }
    faults.report(&mut shop);
}

pub(crate) fn a_wrong_edit_is_a_problem_that_names_the_field(engine: Engine) {
    let mut shop = Shop::open(engine);
    let mut faults = Faults::default();
    shop.register(&experiment("banner", &["control", "b"]));
    shop.run(&experiment("running", &["control", "b"]));
    let before = (shop.experiment("banner"), shop.experiment("running"));
    let path = "/api/v1/experiments/banner";
    for (patch, statuses, place) in [
        (json!({"trafic": 1}), BAD, "/trafic"),
        (json!({"traffic": 7}), BAD, "/traffic"),
        (json!({"traffic": "x"}), BAD, "/traffic"),
        (json!({"variants": null}), BAD, "/variants"),
        (json!({"variants": [{"key": "x"}]}), BAD, "/variants"),
        (json!({"primary_metric": "nobody_knows"}), BAD, "/primary_metric*"),
        (json!({"key": "other"}), &[400, 409, 422], "/key"),
        (json!({"status": "running"}), &[400, 409, 422], "/status"),
    ] {
        let answer = shop.admin.edit("PATCH", path, "*", Some(&patch));
        faults.check(&format!("PATCH {patch}"), &answer, at(statuses, place));
    }
    for (action, body, statuses, place) in [
        ("conclude", json!({"serve": "nobody"}), &[400, 422][..], Some("/serve")),
        ("conclude", json!({"serve": 7}), BAD, Some("/serve")),
        ("conclude", json!({"srve": "b"}), BAD, Some("/srve")),
        ("conclude", json!({"serve": "b"}), BAD, Some("/reason")),
        ("pause", json!({"reason": "x"}), BAD, Some("/reason")),
        ("undo", json!({"history_id": "x"}), BAD, Some("/history_id")),
        ("variants", json!({"key": "b b"}), BAD, Some("/key")),
        ("variants", json!({"key": "b"}), &[400, 409, 422], Some("/key")),
        ("variants", json!({"key": "c", "weight": -1}), BAD, Some("/weight")),
        ("variants", json!({"key": "c", "wieght": 1}), BAD, Some("/wieght")),
        ("variants", json!({}), BAD, Some("/key")),
        ("variants", json!([]), BAD, None),
    ] {
        let answer =
            shop.admin.edit("POST", &format!("/api/v1/experiments/running/{action}"), "*", Some(&body));
        faults.check(&format!("POST {action} {body}"), &answer, Expected { statuses, slug: None, place });
    }
    let versions = "/api/v1/experiments/running/versions";
    for (patch, place) in [(json!({"trafic": 1}), "/trafic"), (json!({"traffic": 7}), "/traffic")] {
        let answer = shop.admin.post(versions, &patch);
        faults.check(&format!("POST versions {patch}"), &answer, at(BAD, place));
    }
    for (body, place) in [
        (json!({"scope": "root", "name": "x"}), "/scope"),
        (json!({"name": "x"}), "/scope"),
        (json!({"scope": "server", "name": 7}), "/name"),
        (json!({"scope": "server", "name": "x", "secret": "y"}), "/secret"),
    ] {
        let answer = shop.admin.post("/api/v1/keys", &body);
        faults.check(&format!("POST keys {body}"), &answer, at(BAD, place));
    }
    for etag in ["nonsense", "\"", "W/\"1\"", "\"0\""] {
        let answer = shop.admin.edit("PATCH", path, etag, Some(&json!({"name": "x"})));
        faults.check(&format!("If-Match: {etag}"), &answer, any(&[400, 412]));
    }
    assert_eq!((shop.experiment("banner"), shop.experiment("running")), before, "nothing was changed");
    faults.report(&mut shop);
}

pub(crate) fn a_wrong_decide_call_is_a_problem_that_names_the_field(engine: Engine) {
    let mut shop = Shop::open(engine);
    let mut faults = Faults::default();
    let many_units: Vec<String> = (0..1_001).map(|unit| format!("u-{unit}")).collect();
    let many_flags: Vec<String> = (0..101).map(|flag| format!("f-{flag}")).collect();
    for (body, place) in [
        (json!({"flags": ["a"]}), "/unit"),
        (json!({"unit": "ann"}), "/flags"),
        (json!({"unit": "ann", "units": ["bob"], "flags": ["a"]}), "/unit*"),
        (json!({"unit": "", "flags": ["a"]}), "/unit"),
        (json!({"unit": "u".repeat(256), "flags": ["a"]}), "/unit"),
        (json!({"unit": ["ann"], "flags": ["a"]}), "/unit"),
        (json!({"unit": null, "flags": ["a"]}), "/unit"),
        (json!({"units": "ann", "flags": ["a"]}), "/units"),
        (json!({"units": ["ann", ""], "flags": ["a"]}), "/units/1"),
        (json!({"units": ["ann", {}], "flags": ["a"]}), "/units/1"),
        (json!({"units": many_units, "flags": ["a"]}), "/units"),
        (json!({"unit": "ann", "flags": many_flags}), "/flags"),
        (json!({"unit": "ann", "flags": "a"}), "/flags"),
        (json!({"unit": "ann", "flags": ["a", 7]}), "/flags/1"),
        (json!({"unit": "ann", "flags": [{"default": 1}]}), "/flags/0*"),
        (json!({"unit": "ann", "flags": [{"key": "a", "defualt": 1}]}), "/flags/0/defualt"),
        (json!({"unit": "ann", "flags": ["a"], "exposure": "yes"}), "/exposure"),
        (json!({"unit": "ann", "flags": ["a"], "context": []}), "/context"),
        (json!({"unit": "ann", "flags": ["a"], "exposed": true}), "/exposed"),
    ] {
        let answer = shop.admin.post("/api/v1/decide", &body);
        let what: String = body.to_string().chars().take(120).collect();
        faults.check(&what, &answer, at(BAD, place));
    }
    faults.report(&mut shop);
}

pub(crate) fn a_wrong_query_is_a_problem(engine: Engine) {
    let mut shop = Shop::open(engine);
    let mut faults = Faults::default();
    shop.run(&experiment("banner", &["control", "b"]));
    let list = "/api/v1/experiments";
    for query in
        ["limit=0", "limit=501", "limit=-1", "limit=x", "cursor=nonsense", "status=nonsense", "statsu=draft"]
    {
        faults.check(query, &shop.admin.get(&format!("{list}?{query}")), any(&[400, 422]));
    }
    for path in ["", "/report", "/report.csv"] {
        let path = format!("{list}/banner{path}");
        faults.check(&path, &shop.admin.get(&format!("{path}?version=x")), any(&[400, 404]));
        faults.check(&path, &shop.admin.get(&format!("{path}?version=99")), any(&[404]));
    }
    for query in ["status=nonsense", "status=rejected&limit=x", "status=rejected&limit=0"] {
        faults.check(query, &shop.admin.get(&format!("/api/v1/events?{query}")), any(&[400, 422]));
    }
    let weights = shop.admin.get(&format!("{list}/banner/weights?limit=x"));
    faults.check("weights?limit=x", &weights, any(&[400, 422]));
    faults.report(&mut shop);
}

pub(crate) fn an_unknown_path_or_method_is_a_problem(engine: Engine) {
    let mut shop = Shop::open(engine);
    let mut faults = Faults::default();
    shop.register(&experiment("banner", &["control", "b"]));
    for (method, path) in [
        ("GET", "/api/v1"),
        ("GET", "/api/v1/"),
        ("GET", "/api/v1/nothing"),
        ("POST", "/api/v1/experiments/banner/launch"),
        ("GET", "/api/v1/experiments/nobody-knows"),
        ("PATCH", "/api/v1/experiments/nobody-knows"),
        ("POST", "/api/v1/experiments/nobody-knows/start"),
        ("GET", "/api/v1/experiments/nobody-knows/report"),
        ("GET", "/api/v1/experiments/nobody-knows/weights"),
        ("GET", "/api/v1/experiments/%00"),
        ("GET", "/api/v1/experiments/%ff%fe"),
        ("GET", "/api/v1/experiments/..%2f..%2fetc"),
        ("DELETE", "/api/v1/experiments/banner/variants/nobody-knows"),
        ("DELETE", "/api/v1/keys/nobody-knows"),
        ("DELETE", "/api/v1/webhooks/nobody-knows"),
        ("GET", "/api/v1/experiments/nobody-knows/history"),
        ("POST", "/api/v1/experiments/nobody-knows/undo"),
    ] {
        let answer = shop.admin.call(method, path, &[("If-Match", "*")], (method != "GET").then_some(b"{}"));
        faults.check(&format!("{method} {path}"), &answer, any(&[404]));
    }
    for (method, path) in [
        ("DELETE", "/api/v1/experiments"),
        ("PUT", "/api/v1/experiments/banner"),
        ("GET", "/api/v1/decide"),
        ("PUT", "/api/v1/events"),
        ("GET", "/api/v1/experiments/banner/start"),
        ("POST", "/api/v1/metrics"),
        ("BREW", "/api/v1/experiments"),
        ("PUT", "/api/v1/messages"),
        ("DELETE", "/api/v1/messages/x"),
        ("PATCH", "/api/v1/suppressions"),
        ("POST", "/api/v1/channels"),
        ("PATCH", "/api/v1/channels/mail"),
        ("GET", "/api/v1/channels/mail/resume"),
        ("GET", "/api/v1/channels/mail/webhook"),
        ("POST", "/l/x"),
        ("PUT", "/api/v1/webhooks"),
        ("GET", "/api/v1/webhooks/x"),
        ("POST", "/api/v1/experiments/banner/history"),
        ("GET", "/api/v1/experiments/banner/undo"),
        ("POST", "/o/x"),
        ("PUT", "/u/x"),
    ] {
        let answer = shop.admin.call(method, path, &[], (method != "GET").then_some(b"{}"));
        faults.check(&format!("{method} {path}"), &answer, of_kind(&[405], "method-not-allowed"));
        if answer.header("allow").is_none() {
            faults.add(format!("{method} {path}: no Allow header: {answer}"));
        }
    }
    faults.report(&mut shop);
}

pub(crate) fn a_body_that_cannot_be_read_is_a_problem(engine: Engine) {
    let mut shop = Shop::open(engine);
    let mut faults = Faults::default();
    shop.run(&experiment("banner", &["control", "b"]));
    let deep = "[".repeat(100_000);
    let deep_context = format!(
        r#"{{"unit":"ann","flags":["a"],"context":{}1{}}}"#,
        "{\"a\":".repeat(5_000),
        "}".repeat(5_000)
    );
    let large = format!(r#"{{"unit":"ann","flags":["a"],"context":{{"x":"{}"}}}}"#, "x".repeat(2 << 20));
    let routes = [
        ("POST", "/api/v1/experiments"),
        ("PATCH", "/api/v1/experiments/banner"),
        ("POST", "/api/v1/experiments/banner/versions"),
        ("POST", "/api/v1/experiments/banner/variants"),
        ("POST", "/api/v1/decide"),
        ("POST", "/api/v1/events"),
        ("POST", "/api/v1/keys"),
        ("POST", "/api/v1/webhooks"),
        ("POST", "/api/v1/plan"),
        ("POST", "/api/v1/webhooks"),
        ("POST", "/api/v1/messages"),
        ("POST", "/api/v1/suppressions"),
        ("PUT", "/api/v1/channels/mail"),
    ];
    let headers = [("If-Match", "*"), ("Idempotency-Key", "unreadable")];
    for (method, path) in routes {
        for (what, body, statuses) in [
            ("nothing", &b""[..], &[400][..]),
            ("a list of members", b"[\"publishable\", \"x\"]", &[400]),
            ("half of it", b"{\"key\": ", &[400]),
            ("no JSON", b"key=banner", &[400]),
            ("no UTF-8", b"{\"key\": \"\xff\"}", &[400]),
            (
                "twice the same field",
                b"{\"key\": \"a\", \"key\": \"b\", \"unit\": 1, \"unit\": 2}",
                &[400, 422],
            ),
            ("something after it", b"{} {}", &[400]),
            ("too deep", deep.as_bytes(), &[400]),
            ("too deep inside", deep_context.as_bytes(), &[400, 422]),
            ("too large", large.as_bytes(), &[413]),
        ] {
            // An event that says too little, or nests too deep, is refused by itself.
            let alone = ["a list of members", "twice the same field", "too deep inside"];
            if path == "/api/v1/events" && alone.contains(&what) {
                continue;
            }
            let answer = shop.admin.try_call(method, path, &headers, Some(body));
            match answer {
                Ok(answer) => faults.check(&format!("{method} {path}, {what}"), &answer, any(statuses)),
                Err(error) => faults.add(format!("{method} {path}, {what}: no answer: {error}")),
            }
        }
    }
    faults.report(&mut shop);
}
