//! What operators and integrators look at.

use crate::harness::events::{history, now, order, viewed};
use crate::harness::{Book, Engine, Shop, experiment, named};
use serde_json::json;

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(probes_answer_without_a_key));
    book.both(named!(prometheus_can_read_the_metrics));
    book.both(named!(a_log_that_nobody_reads_stops_nothing));
    book.both(named!(the_openapi_document_has_every_route));
    book.both(named!(the_csv_says_what_the_json_says));
    book.both(named!(a_report_link_opens_one_report_and_nothing_else));
    book.both(named!(what_a_shopper_sends_is_text_on_our_pages));
}

pub(crate) fn probes_answer_without_a_key(engine: Engine) {
    let shop = Shop::open(engine);
    let anyone = shop.admin.with_key(None);
    assert_eq!(anyone.get("/livez").status, 200);
    let ready = anyone.get("/readyz");
    assert!(ready.expect(200).is_object(), "{ready}");
}

pub(crate) fn prometheus_can_read_the_metrics(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&experiment("secret-plan", &["control", "b"]));
    shop.decide("ann", "secret-plan");
    let unnamed = json!({"userId": "ann", "type": "track"});
    shop.send(&[viewed("ann", "secret-plan", "b", history()), unnamed]);
    let answer = shop.admin.with_key(None).get("/metrics");
    assert_eq!(answer.status, 200, "{answer}");
    let text = answer.text();
    for name in ["podium_http_request_duration_seconds", "podium_decisions_total", "podium_events_total"] {
        assert!(text.contains(name), "no {name} in:\n{text}");
    }
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        assert!(line.starts_with("podium_"), "{line}");
        let value = line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
        assert!(value.is_some(), "{line}");
        for private in ["secret-plan", "ann", "podium_adm"] {
            assert!(!line.contains(private), "no flag key, unit or key is a label: {line}");
        }
    }
}

pub(crate) fn a_log_that_nobody_reads_stops_nothing(engine: Engine) {
    let mut shop = Shop::open(engine);
    shop.podium.restart_unheard();
    shop.admin = shop.podium.client("admin");
    // Every step of an experiment is logged.
    shop.run(&experiment("banner", &["control", "b"]));
    for unit in ["ann", "bob", "cy"] {
        shop.decide(unit, "banner");
        shop.log(&[order(unit, &format!("o-{unit}"), 100, now())]);
    }
    shop.act("banner", "pause").expect(200);
    let report = shop.report("banner");
    assert_eq!(report.units("control") + report.units("b"), 3);
}

pub(crate) fn the_openapi_document_has_every_route(engine: Engine) {
    let shop = Shop::open(engine);
    let document = shop.admin.with_key(None).get("/openapi.json").expect(200);
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "3.1");
    let experiment = "/api/v1/experiments/{key}";
    for (method, path) in [
        ("post", "/api/v1/decide".to_owned()),
        ("post", "/api/v1/events".to_owned()),
        ("get", "/api/v1/events".to_owned()),
        ("get", "/api/v1/experiments".to_owned()),
        ("post", "/api/v1/experiments".to_owned()),
        ("get", experiment.to_owned()),
        ("patch", experiment.to_owned()),
        ("post", format!("{experiment}/start")),
        ("post", format!("{experiment}/pause")),
        ("post", format!("{experiment}/conclude")),
        ("post", format!("{experiment}/archive")),
        ("post", format!("{experiment}/undo")),
        ("get", format!("{experiment}/history")),
        ("post", "/api/v1/webhooks".to_owned()),
        ("post", format!("{experiment}/variants")),
        ("delete", format!("{experiment}/variants/{{variant}}")),
        ("post", format!("{experiment}/versions")),
        ("get", format!("{experiment}/report")),
        ("get", format!("{experiment}/report.csv")),
        ("get", format!("{experiment}/weights")),
        ("post", format!("{experiment}/report-links")),
        ("get", "/api/v1/decisions/{id}/explain".to_owned()),
        ("get", "/api/v1/keys".to_owned()),
        ("post", "/api/v1/keys".to_owned()),
        ("delete", "/api/v1/keys/{id}".to_owned()),
        ("get", "/api/v1/metrics".to_owned()),
    ] {
        assert!(document["paths"][&path][method].is_object(), "no {method} {path}");
    }
}

fn with_figures(engine: Engine) -> Shop {
    let shop = Shop::open(engine);
    let mut definition = experiment("banner", &["control", "b"]);
    definition["name"] = json!("=cmd|' /C calc'!A0");
    shop.run(&definition);
    let mut events = Vec::new();
    for number in 0..60 {
        let (unit, variant) = (format!("unit-{number}"), ["control", "b"][number % 2]);
        events.push(viewed(&unit, "banner", variant, history()));
        if number % 3 == 0 {
            events.push(order(&unit, &format!("o-{number}"), 1_234 + number as i64, history() + 1));
        }
    }
    shop.log(&events);
    shop
}

pub(crate) fn the_csv_says_what_the_json_says(engine: Engine) {
    let shop = with_figures(engine);
    let answer = shop.admin.get("/api/v1/experiments/banner/report.csv");
    assert_eq!(answer.status, 200, "{answer}");
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/csv")), "{answer}");
    let mut reader = csv::Reader::from_reader(answer.body.as_slice());
    let header = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let column = |name: &str| {
        let column = header.iter().position(|each| each == name);
        column.unwrap_or_else(|| panic!("no column `{name}` in {header:?}"))
    };
    let report = shop.report("banner");
    for metric in ["conversion", "revenue_per_visitor", "net_revenue", "aov"] {
        for variant in ["control", "b"] {
            let is_it = |row: &&csv::StringRecord| {
                &row[column("metric")] == metric && &row[column("variant")] == variant
            };
            let row = rows.iter().find(is_it).unwrap_or_else(|| panic!("no row for {metric} of {variant}"));
            let figure = report.figure(metric, variant);
            assert_eq!(row[column("units")].parse::<u64>().unwrap(), figure.units);
            assert_eq!(row[column("numerator")].parse::<i64>().unwrap(), figure.numerator);
            assert_eq!(row[column("denominator")].parse::<i64>().unwrap(), figure.denominator);
            assert_eq!(row[column("value")].parse::<f64>().ok(), figure.value, "equal to the last digit");
        }
    }
    for cell in rows.iter().flatten() {
        let is_number = cell.parse::<f64>().is_ok();
        assert!(is_number || !cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "a formula: {cell}");
    }
}

pub(crate) fn a_report_link_opens_one_report_and_nothing_else(engine: Engine) {
    let shop = with_figures(engine);
    let anyone = shop.admin.with_key(None);
    let made = shop.admin.post("/api/v1/experiments/banner/report-links", &json!({})).expect(201);
    assert!(made["expires_at"].is_string(), "{made}");
    let path = made["url"].as_str().and_then(|url| url.find("/r/").map(|at| url[at..].to_owned()));
    let path = path.unwrap_or_else(|| panic!("no /r/ in {made}"));
    let page = anyone.get(&path);
    assert_eq!(page.status, 200, "{page}");
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    assert!(page.header("cache-control").is_some_and(|value| value.contains("no-store")));
    let mut wrong = path.clone();
    let last = if wrong.pop() == Some('a') { 'b' } else { 'a' };
    wrong.push(last);
    for path in [wrong.as_str(), "/r/", "/r/x", "/r/..%2f..%2fetc"] {
        assert_eq!(anyone.get(path).status, 404, "{path}");
    }
    let answer = anyone.get("/api/v1/experiments/banner/report.html");
    assert_eq!(answer.status, 401, "without a link a key is needed");
}

pub(crate) fn what_a_shopper_sends_is_text_on_our_pages(engine: Engine) {
    let shop = Shop::open(engine);
    let canary = "<script>alert('canary')</script>";
    let mut definition = experiment("banner", &["control", "b"]);
    definition["name"] = json!(canary);
    definition["description"] = json!(canary);
    definition["variants"][1]["name"] = json!(canary);
    definition["variants"][1]["content"] = json!({ "title": canary });
    shop.run(&definition);
    shop.log(&[viewed(canary, "banner", "b", history())]);
    let page = shop.admin.get("/api/v1/experiments/banner/report.html");
    assert_eq!(page.status, 200, "{page}");
    let text = page.text();
    assert!(text.contains("canary") && !text.contains("<script>alert"), "{text}");
    let policy = page.header("content-security-policy").unwrap_or_default();
    assert!(policy.contains("default-src 'none'"), "the policy is `{policy}`");
}
