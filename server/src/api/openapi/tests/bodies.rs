//! Answers against their schemas.

use super::check::faults;
use super::shop::Shop;
use super::{document, schema};
use podium_core::experiment::{Experiment, MetricChoice};
use podium_core::metric::{Direction, MetricKind, UnitValue, ValueUnit, VariantSums};
use podium_core::report::{
    CurrentWeights, Exposures, MetricFigures, Report, ReportInput, Role, Rules, VariantFigures, Watermark,
};
use podium_core::time::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const EXPERIMENTS: &str = "/api/v1/experiments";

/// What needs a metric to succeed; their answers have the schema of those that read an experiment.
const NEED_A_METRIC: [&str; 4] = ["addVariant", "createExperiment", "createVersion", "editExperiment"];

#[actix_web::test]
async fn answers_are_what_their_schemas_say() {
    let shop = Shop::open().await;
    let server = shop.server().await;
    let of = |rest: &str| format!("{EXPERIMENTS}/{{key}}{rest}");
    let uri = |rest: &str| format!("{EXPERIMENTS}/banner{rest}");
    let mut succeeded = BTreeSet::new();
    let mut asked: Vec<((&str, String), String, Option<Value>)> = vec![
        (("GET", "/livez".into()), "/livez".into(), None),
        (("GET", "/readyz".into()), "/readyz?require=store".into(), None),
        (("GET", "/metrics".into()), "/metrics".into(), None),
        (("GET", "/openapi.json".into()), "/openapi.json".into(), None),
        (("GET", "/problems/{slug}".into()), "/problems/edit-conflict".into(), None),
        (("GET", "/".into()), "/".into(), None),
        (("GET", "/assets/podium.css".into()), "/assets/podium.css".into(), None),
        (("GET", "/api/v1/metrics".into()), "/api/v1/metrics".into(), None),
        (("GET", "/api/v1/keys".into()), "/api/v1/keys".into(), None),
        (("GET", EXPERIMENTS.into()), format!("{EXPERIMENTS}?limit=1"), None),
        (("GET", EXPERIMENTS.into()), format!("{EXPERIMENTS}?cursor=1&status=running"), None),
        (("GET", of("")), uri("?version=1"), None),
        (("GET", of("/weights")), uri("/weights"), None),
        (("GET", of("/report")), uri("/report"), None),
        (("GET", of("/report.csv")), uri("/report.csv"), None),
        (("GET", of("/report.html")), uri("/report.html"), None),
        (("DELETE", of("/variants/{variant}")), uri("/variants/blue"), None),
        (("GET", of("")), uri(""), None),
        (("POST", of("/pause")), uri("/pause"), None),
        (("POST", of("/start")), uri("/start"), None),
        (("POST", of("/conclude")), uri("/conclude"), Some(json!({"serve": "red"}))),
        (("POST", of("/archive")), uri("/archive"), None),
    ];
    for example in super::super::examples::events() {
        asked.push((("POST", "/api/v1/events".into()), "/api/v1/events".into(), Some(example.1)));
    }
    asked.push((("GET", "/api/v1/events".into()), "/api/v1/events?status=rejected".into(), None));
    for ((method, path), uri, body) in asked {
        let answer = server.try_out(Some("admin"), (method, &path), &uri, body).await;
        assert!(answer.status < 300, "{method} {uri}: {} {}", answer.status, answer.body);
        succeeded.insert((method.to_owned(), path));
    }
    let decide = ("POST", "/api/v1/decide");
    for flag in ["search", "hero", "banner", "nothing"] {
        let body = json!({"unit": "u-1", "flags": [{"key": flag, "default": [1]}]});
        let decided = server.try_out(Some("publishable"), decide, decide.1, Some(body)).await;
        succeeded.insert((decide.0.to_owned(), decide.1.to_owned()));
        let Some(id) = decided.body["decisions"][0]["decision_id"].as_str() else { continue };
        let explain = ("GET", "/api/v1/decisions/{id}/explain");
        let explained =
            server.try_out(Some("server"), explain, &format!("/api/v1/decisions/{id}/explain"), None).await;
        assert_eq!(explained.body["agrees"], true, "{}", explained.body);
        succeeded.insert((explain.0.to_owned(), explain.1.to_owned()));
    }
    let linking =
        server.try_out(Some("admin"), ("POST", &of("/report-links")), &uri("/report-links"), None).await;
    succeeded.insert(("POST".to_owned(), of("/report-links")));
    let link = linking.body["url"].as_str().unwrap().strip_prefix("https://shop.example").unwrap().to_owned();
    for rest in ["", "/report.json", "/report.csv"] {
        let path = format!("/r/{{token}}{rest}");
        server.try_out(None, ("GET", &path), &format!("{link}{rest}"), None).await;
        succeeded.insert(("GET".to_owned(), path));
    }
    let keys = ("POST", "/api/v1/keys");
    let made = server.try_out(Some("admin"), keys, keys.1, Some(json!({"scope": "publishable"}))).await;
    succeeded.insert((keys.0.to_owned(), keys.1.to_owned()));
    let revoke = ("DELETE", "/api/v1/keys/{id}");
    let id = made.body["id"].as_str().unwrap();
    let revoked = server.try_out(Some("admin"), revoke, &format!("/api/v1/keys/{id}"), None).await;
    assert_eq!(revoked.status, 204);
    succeeded.insert((revoke.0.to_owned(), revoke.1.to_owned()));
    let untried = server.operations().iter().filter(|(key, _)| !succeeded.contains(*key));
    let untried: Vec<_> = untried.map(|(_, operation)| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(untried.iter().copied().collect::<BTreeSet<_>>(), BTreeSet::from(NEED_A_METRIC));
}

#[actix_web::test]
async fn problems_are_what_the_document_says() {
    let shop = Shop::open().await;
    let server = shop.server().await;
    for ((method, path), operation) in server.operations() {
        let asked = (method.as_str(), path.as_str());
        let uri = path.replace("{key}", "nope").replace(['{', '}'], "");
        let Some(security) = operation["security"].as_array() else { continue };
        let unknown = server.try_out(None, asked, &uri, None).await;
        assert_eq!(unknown.status, 401, "{method} {uri}: {}", unknown.body);
        let scopes = security[0]["bearer"].as_array().unwrap();
        for scope in ["publishable", "server"] {
            let answer = server.try_out(Some(scope), asked, &uri, None).await;
            let is_in = scopes.iter().any(|one| one == scope);
            assert_eq!(answer.status != 403, is_in, "{method} {uri} with a {scope} key: {}", answer.body);
        }
        let answer = server.try_out(Some("admin"), asked, &uri, Some(json!({"nonsense": 1}))).await;
        let is_open =
            ["/", EXPERIMENTS, "/api/v1/metrics", "/api/v1/keys"].contains(&&**path) && method == "GET";
        let takes_events = operation["operationId"] == "sendEvents";
        assert_eq!(400 <= answer.status, !is_open && !takes_events, "{method} {uri}: {}", answer.body);
    }
}

#[actix_web::test]
async fn each_edit_that_fails_says_why_as_documented() {
    let shop = Shop::open().await;
    let server = shop.server().await;
    let of = |rest: &str| format!("{EXPERIMENTS}/{{key}}{rest}");
    let example = || Some(super::super::examples::new_experiment()[0].1.clone());
    let mut asked = vec![
        (("POST", EXPERIMENTS.into()), "", example(), 422),
        (("POST", EXPERIMENTS.into()), "", Some(json!({"key": "x"})), 400),
        (("PATCH", of("")), "/banner", Some(json!({"traffic": 0.5})), 422),
        (("POST", of("/versions")), "/banner/versions", Some(json!({})), 422),
        (("POST", of("/versions")), "/hero/versions", Some(json!({})), 409),
        (("POST", of("/variants")), "/banner/variants", Some(json!({"key": "new"})), 422),
        (("POST", of("/pause")), "/hero/pause", None, 409),
        (("DELETE", of("/variants/{variant}")), "/hero/variants/control", None, 400),
        (("DELETE", of("/variants/{variant}")), "/hero/variants/nope", None, 404),
        (("GET", EXPERIMENTS.into()), "?limit=many", None, 400),
        (("GET", EXPERIMENTS.into()), "?status=lost", None, 400),
        (("GET", of("/report.html")), "/nope/report.html", None, 404),
    ];
    let large = json!({"name": "x".repeat(1024 * 1024), "scope": "server"});
    asked.push((("PATCH", of("")), "/banner", Some(large), 413));
    for ((method, path), rest, body, status) in asked {
        let uri = format!("{EXPERIMENTS}{rest}");
        let answer = server.try_out(Some("admin"), (method, &path), &uri, body).await;
        assert_eq!(answer.status, status, "{method} {uri}: {}", answer.body);
    }
}

#[test]
fn a_report_is_what_its_schema_says() {
    let document = document();
    let rate = |n: i64, y: i64| {
        let (yes, all) = (i128::from(y), i128::from(n));
        VariantSums { n, n_nonzero: y, y: yes, d: all, yy: yes, yd: yes, dd: all }
    };
    let ratio = |n: i64, each: f64| {
        let mut sums = VariantSums::default();
        for unit in 0..n {
            let numerator = each + (unit % 7) as f64;
            sums.add(UnitValue::from_f64(numerator, (1 + unit % 2) as f64).unwrap());
        }
        sums
    };
    let contradicting = VariantSums { n: 10, n_nonzero: 20, ..VariantSums::default() };
    let figures = [
        (MetricKind::Proportion, [rate(2_000, 200), rate(2_000, 260)]),
        (MetricKind::Proportion, [rate(0, 0), rate(1, 1)]),
        (MetricKind::Proportion, [rate(5, 5), rate(5, 0)]),
        (MetricKind::Mean, [ratio(500, 3.0), ratio(500, 4.0)]),
        (MetricKind::Mean, [ratio(1, 3.0), ratio(0, 4.0)]),
        (MetricKind::Mean, [ratio(2, 3.0), ratio(2, -3.0)]),
        (MetricKind::Ratio, [ratio(500, 3.0), ratio(500, 4.0)]),
        (MetricKind::Ratio, [ratio(1, 3.0), ratio(1, 4.0)]),
        (MetricKind::Ratio, [VariantSums::default(); 2]),
        (MetricKind::Mean, [contradicting; 2]),
    ];
    for (kind, sums) in figures {
        for available in [true, false] {
            let body = serde_json::to_value(report_of(kind, sums, available)).unwrap();
            let found = faults(&document, schema(&document, "Report"), &body);
            assert!(found.is_empty(), "{kind:?} {sums:?}: {found:#?}");
        }
    }
    let body = serde_json::to_value(report_of(MetricKind::Proportion, figures[0].1, true)).unwrap();
    assert_eq!(body["state"], "leading");
    assert!(body["metrics"][0]["variants"][1]["lift"]["low"].is_f64(), "{body}");
}

fn report_of(kind: MetricKind, sums: [VariantSums; 2], available: bool) -> Report {
    const DAY_US: i64 = 86_400_000_000;
    let experiment: Experiment = serde_json::from_value(json!({
        "id": 1, "key": "banner", "version": 1, "status": "running", "served": null, "revision": 1,
        "created_at": "1970-01-01T00:00:00Z", "updated_at": "1970-01-01T00:00:00Z",
        "started_at": "1970-01-01T00:00:00Z", "concluded_at": null,
        "definition": {"variants": [{"key": "a", "control": true}, {"key": "b"}], "primary_metric": "m"}
    }))
    .unwrap();
    let choice: MetricChoice = serde_json::from_value(json!("m")).unwrap();
    let metric = |role| MetricFigures {
        choice: choice.clone(),
        role,
        title: "A metric".to_owned(),
        kind,
        unit: ValueUnit::CurrencyMinor,
        direction: Direction::Decrease,
        window_s: 3_600,
        available,
        unreadable_units: 3,
        variants: sums.map(|sums| VariantFigures { observed: sums, matured: sums }).into(),
    };
    Report::of(&ReportInput {
        experiment: &experiment,
        now: Timestamp::from_micros(21 * DAY_US),
        watermark: Watermark { position: 9, at: Some(Timestamp::from_micros(20 * DAY_US)) },
        exposures: sums
            .map(|sums| Exposures { observed: sums.n.unsigned_abs(), matured: sums.n.unsigned_abs() })
            .into(),
        first_exposed_at: Some(Timestamp::from_micros(0)),
        last_exposed_at: None,
        quarantined_units: 50_000,
        weights: Some(CurrentWeights { version: 1, shares: vec![0.5, 0.5] }),
        metrics: [Role::Primary, Role::Secondary, Role::Guardrail].map(metric).into(),
        source_note: Some("simulated".to_owned()),
        rules: Rules::default(),
    })
}
