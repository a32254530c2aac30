//! Answers against their schemas.

use super::super::examples;
use super::delivery;
use super::shop::{Server, Shop};
use super::shoppers;
use serde_json::json;
use std::collections::BTreeSet;

/// What needs a plugin to succeed; the answers with a body have the schema of those that read an experiment.
const NEED_A_PLUGIN: [&str; 9] = [
    "addVariant",
    "createExperiment",
    "createVersion",
    "editExperiment",
    "promoteConclusion",
    "putChannel",
    "receiveWebhook",
    "releasePlugin",
    "rollBackPlugin",
];

#[actix_web::test]
async fn answers_are_what_their_schemas_say() {
    let shop = Shop::open().await;
    let server = shop.server().await;
    read(&server).await;
    send_events(&server).await;
    let reloaded = server.try_out(Some("admin"), "POST /api/v1/plugins/reload", None).await;
    assert_eq!(reloaded.status, 200, "{}", reloaded.body);
    decide(&server).await;
    look(&server).await;
    decide_by_address(&server).await;
    follow_links(&server).await;
    make_and_revoke_a_key(&server).await;
    plan(&server).await;
    delivery::messages(&server).await;
    delivery::suppressions(&server).await;
    delivery::channels(&server).await;
    webhooks(&server).await;
    live(&server).await;
    experiences(&server).await;
    shoppers::audiences(&server).await;
    shoppers::sources(&server).await;
    shoppers::profiles(&server).await;
    let all = server.operations().values().map(|operation| operation["operationId"].as_str().unwrap());
    let succeeded = server.succeeded.borrow();
    let untried: BTreeSet<_> = all.filter(|id| !succeeded.contains(*id)).collect();
    // A form is no JSON; a black-box test sends it as a browser does.
    let others = NEED_A_PLUGIN.into_iter().chain(["submitAudienceForm"]);
    assert_eq!(untried, others.collect());
}

async fn read(server: &Server<'_>) {
    for asked in [
        "GET /livez",
        "GET /readyz?require=store",
        "GET /metrics",
        "GET /openapi.json",
        "GET /podium.js",
        "GET /problems/edit-conflict",
        "GET /",
        "GET /assets/podium.css",
        "GET /api/v1/metrics",
        "GET /api/v1/keys",
        "GET /api/v1/plugins",
        "GET /api/v1/experiments?limit=1",
        "GET /api/v1/experiments?cursor=1&status=running",
        "GET /api/v1/experiments/banner?version=1",
        "GET /api/v1/experiments/banner/weights",
        "GET /api/v1/experiments/banner/report",
        "GET /api/v1/experiments/banner/shadow",
        "GET /api/v1/experiments/banner/report.csv",
        "GET /api/v1/experiments/banner/report.html",
    ] {
        let answer = server.try_out(Some("admin"), asked, None).await;
        assert_eq!(answer.status, 200, "{asked}: {}", answer.body);
    }
}

async fn send_events(server: &Server<'_>) {
    for (name, body) in examples::events() {
        let sent = server.try_out(Some("publishable"), "POST /api/v1/events", Some(body)).await;
        assert_eq!(sent.status, 200, "{name}: {}", sent.body);
    }
    for (name, body) in examples::exposures() {
        let sent = server.try_out(Some("publishable"), "POST /api/v1/exposures", Some(body)).await;
        assert_eq!(sent.status, 200, "{name}: {}", sent.body);
    }
    let refused = server.try_out(Some("server"), "GET /api/v1/events?status=rejected", None).await;
    assert_eq!(refused.body["data"][0]["reason"], "unknown_experiment", "{}", refused.body);
    let pages = [("accepted&limit=1", Some(1)), ("accepted&name=Order%20Completed", None)];
    for (query, n_events) in pages {
        let asked = format!("GET /api/v1/events?status={query}");
        let taken = server.try_out(Some("server"), &asked, None).await;
        assert_eq!(taken.status, 200, "{}", taken.body);
        assert_eq!(taken.body["data"].as_array().unwrap().len(), n_events.unwrap_or(1), "{}", taken.body);
    }
    for asked in ["GET /events", "GET /events?status=accepted&name=page"] {
        assert_eq!(server.try_out(Some("server"), asked, None).await.status, 200, "{asked}");
    }
    for asked in ["GET /audiences", "GET /audiences/new"] {
        assert_eq!(server.try_out(Some("admin"), asked, None).await.status, 200, "{asked}");
    }
    let elsewhere = server.try_out(Some("admin"), "POST /audiences/new", Some(json!({"do": "save"}))).await;
    assert_eq!(elsewhere.status, 403, "no form of ours: {}", elsewhere.body);
}

async fn decide(server: &Server<'_>) {
    for (flag, reason) in
        [("search", "SPLIT"), ("hero", "DISABLED"), ("banner", "SPLIT"), ("nothing", "DEFAULT")]
    {
        let body = json!({"unit": "u-1", "flags": [{"key": flag, "default": [1]}]});
        let decided = server.try_out(Some("publishable"), "POST /api/v1/decide", Some(body)).await;
        assert_eq!(decided.body["decisions"][0]["reason"], reason, "{}", decided.body);
        let Some(id) = decided.body["decisions"][0]["decision_id"].as_str() else { continue };
        let explain = format!("GET /api/v1/decisions/{id}/explain");
        let explained = server.try_out(Some("server"), &explain, None).await;
        assert_eq!(explained.body["agrees"], true, "{}", explained.body);
    }
}

async fn look(server: &Server<'_>) {
    for (name, body) in examples::preview() {
        let looked = server.try_out(Some("server"), "POST /api/v1/preview", Some(body)).await;
        assert_eq!(looked.status, 200, "{name}: {}", looked.body);
    }
    for (name, body) in examples::preview_link() {
        let made = server.try_out(Some("admin"), "POST /api/v1/previews/links", Some(body)).await;
        assert_eq!(made.status, 201, "{name}: {}", made.body);
        let context = json!({"podium_preview": made.body["token"]});
        let body = json!({"unit": "u-1", "flags": ["banner"], "context": context});
        let decided = server.try_out(Some("publishable"), "POST /api/v1/decide", Some(body)).await;
        assert_eq!(decided.body["decisions"][0]["forced"], true, "{}", decided.body);
        let asked =
            format!("GET /api/v1/decide/banner?targetingKey=u-1&{}", made.body["query"].as_str().unwrap());
        let decided = server.try_out(Some("publishable"), &asked, None).await;
        assert_eq!(decided.body["metadata"]["forced"], true, "{}", decided.body);
    }
}

async fn decide_by_address(server: &Server<'_>) {
    for (asked, status) in [
        ("GET /api/v1/decide/search?targetingKey=u-1&shop.country=NL", 200),
        ("GET /api/v1/decide/hero?targetingKey=u-1&exposure=false", 200),
        ("GET /api/v1/decide/hero", 400),
        ("GET /api/v1/decide/nothing?targetingKey=u-1", 404),
    ] {
        let answer = server.try_out(Some("publishable"), asked, None).await;
        assert_eq!(answer.status, status, "{asked}: {}", answer.body);
    }
}

async fn follow_links(server: &Server<'_>) {
    let made = server.try_out(Some("admin"), "POST /api/v1/experiments/banner/report-links", None).await;
    let link = made.body["url"].as_str().unwrap().strip_prefix("https://shop.example").unwrap();
    for rest in ["", "/report.json", "/report.csv"] {
        let read = server.try_out(None, &format!("GET {link}{rest}"), None).await;
        assert_eq!(read.status, 200, "{rest}: {}", read.body);
    }
}

async fn make_and_revoke_a_key(server: &Server<'_>) {
    for (name, body) in examples::new_key() {
        let made = server.try_out(Some("admin"), "POST /api/v1/keys", Some(body)).await;
        assert_eq!(made.status, 201, "{name}: {}", made.body);
        let id = made.body["id"].as_str().unwrap();
        let restrict = format!("PUT /api/v1/keys/{id}/origins");
        let status = if name == "pages" { 200 } else { 400 };
        for (_, body) in examples::key_origins() {
            assert_eq!(server.try_out(Some("admin"), &restrict, Some(body)).await.status, status, "{name}");
        }
        let revoke = format!("DELETE /api/v1/keys/{id}");
        assert_eq!(server.try_out(Some("admin"), &revoke, None).await.status, 204);
        assert_eq!(server.try_out(Some("admin"), &revoke, None).await.status, 404);
        let (_, body) = examples::key_origins().remove(0);
        assert_eq!(server.try_out(Some("admin"), &restrict, Some(body)).await.status, 404);
    }
}

async fn plan(server: &Server<'_>) {
    for (name, body) in examples::plan() {
        let planned = server.try_out(Some("server"), "POST /api/v1/plan", Some(body)).await;
        assert_eq!(planned.status, 200, "{name}: {}", planned.body);
        if let Some((_, example)) = examples::planned().into_iter().find(|(of, _)| *of == name) {
            assert_eq!(planned.body, example, "the example is an answer");
        }
    }
}

async fn live(server: &Server<'_>) {
    let serve = Some(json!({"serve": "red", "reason": "it is on every poster"}));
    let undo = Some(json!({"reason": "too early"}));
    for (asked, body, status) in [
        ("DELETE /api/v1/experiments/banner/variants/blue", None, "running"),
        ("GET /api/v1/experiments/banner", None, "running"),
        ("POST /api/v1/experiments/banner/pause", None, "paused"),
        ("POST /api/v1/experiments/banner/start", None, "running"),
        ("POST /api/v1/experiments/banner/conclude?dry_run=true", None, "concluded"),
        ("GET /api/v1/experiments/banner", None, "running"),
        ("POST /api/v1/experiments/banner/conclude", serve.clone(), "concluded"),
        ("POST /api/v1/experiments/banner/undo", undo, "running"),
        ("POST /api/v1/experiments/banner/conclude", serve, "concluded"),
        ("POST /api/v1/experiments/banner/archive", None, "archived"),
    ] {
        let answer = server.try_out(Some("admin"), asked, body).await;
        assert_eq!(answer.body["status"], status, "{asked}: {}", answer.body);
    }
    let first = "GET /api/v1/experiments/banner/history?limit=3";
    let page = server.try_out(Some("server"), first, None).await;
    let rest = format!("{first}&cursor={}", page.body["next_cursor"]);
    let rest = server.try_out(Some("server"), &rest, None).await;
    let kinds = [page, rest].map(|page| {
        let entries = page.body["data"].as_array().unwrap().clone();
        entries.iter().map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    });
    assert_eq!(kinds.concat(), ["archived", "concluded", "undone", "concluded", "started", "paused"]);
}

async fn experiences(server: &Server<'_>) {
    for (name, body) in examples::new_experience() {
        let made = server.try_out(Some("admin"), "POST /api/v1/experiences", Some(body.clone())).await;
        assert_eq!(made.status, 201, "{name}: {}", made.body);
        let mut twin = body.clone();
        twin["flag_key"] = made.body["flag_key"].clone();
        twin["key"] = json!(format!("{}-2", body["key"].as_str().unwrap()));
        let twin = server.try_out(Some("admin"), "POST /api/v1/experiences", Some(twin)).await;
        let path = format!("/api/v1/experiences/{}", body["key"].as_str().unwrap());
        let twin = format!("POST /api/v1/experiences/{}/publish", twin.body["key"].as_str().unwrap());
        server.try_out(Some("admin"), &twin, None).await;
        for (asked, sent, status) in [
            (format!("PUT {path}"), Some(body.clone()), "draft"),
            (format!("POST {path}/publish"), None, "live"),
            (format!("GET {path}"), None, "live"),
        ] {
            let answer = server.try_out(Some("admin"), &asked, sent).await;
            assert_eq!(answer.body["status"], status, "{asked}: {}", answer.body);
        }
        let conflicts = server.try_out(Some("server"), "GET /api/v1/experiences/conflicts", None).await;
        assert!(conflicts.body["data"][0]["rules"].is_array(), "{}", conflicts.body);
        let flag = made.body["flag_key"].as_str().unwrap();
        let asked = json!({"unit": "u-1", "flags": [flag]});
        let decided = server.try_out(Some("publishable"), "POST /api/v1/decide", Some(asked)).await;
        assert_eq!(decided.body["decisions"][0]["experience"], body["key"], "{}", decided.body);
        let id = decided.body["decisions"][0]["decision_id"].as_str().unwrap();
        let explain = format!("GET /api/v1/decisions/{id}/explain");
        let explained = server.try_out(Some("server"), &explain, None).await;
        assert_eq!(explained.body["experience"], body["key"], "{}", explained.body);
        for asked in ["report", "report.csv", "history", "history?limit=1"] {
            let answer = server.try_out(Some("server"), &format!("GET {path}/{asked}"), None).await;
            assert_eq!(answer.status, 200, "{asked}: {}", answer.body);
        }
        server.try_out(Some("admin"), &format!("POST {path}/pause"), None).await;
        let archive = if name == "rules" { format!("DELETE {path}") } else { format!("POST {path}/archive") };
        let archived = server.try_out(Some("admin"), &archive, None).await;
        assert_eq!(archived.body["status"], "archived", "{}", archived.body);
    }
    for query in ["", "?limit=1", "?cursor=1&status=archived"] {
        let listed = server.try_out(Some("server"), &format!("GET /api/v1/experiences{query}"), None).await;
        assert_eq!(listed.status, 200, "{query}: {}", listed.body);
    }
}

async fn webhooks(server: &Server<'_>) {
    let (_, mut webhook) = examples::new_webhook().remove(0);
    // Nothing is posted there before it is gone.
    webhook["url"] = json!("http://127.0.0.1:1/");
    let made = server.try_out(Some("admin"), "POST /api/v1/webhooks", Some(webhook)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let listed = server.try_out(Some("admin"), "GET /api/v1/webhooks", None).await;
    assert_eq!(listed.body["data"], json!([made.body]));
    let remove = format!("DELETE /api/v1/webhooks/{}", made.body["id"].as_str().unwrap());
    assert_eq!(server.try_out(Some("admin"), &remove, None).await.status, 204);
    assert_eq!(server.try_out(Some("admin"), &remove, None).await.status, 404);
}

#[actix_web::test]
async fn problems_are_what_the_document_says() {
    let shop = Shop::open().await;
    let server = shop.server().await;
    for ((method, path), operation) in server.operations() {
        let asked = format!("{method} {}", path.replace("{key}", "nope").replace(['{', '}'], ""));
        let Some(security) = operation["security"].as_array() else { continue };
        let unknown = server.try_out(None, &asked, None).await;
        assert_eq!(unknown.status, 401, "{asked}: {}", unknown.body);
        let scopes = security[0]["bearer"].as_array().unwrap();
        for scope in ["publishable", "server"] {
            let answer = server.try_out(Some(scope), &asked, None).await;
            let is_in = scopes.iter().any(|one| one == scope);
            assert_eq!(answer.status != 403, is_in, "{asked} with a {scope} key: {}", answer.body);
        }
        let answer = server.try_out(Some("admin"), &asked, Some(json!({"nonsense": 1}))).await;
        let id = operation["operationId"].as_str().unwrap();
        let answers_anything = [
            "listAudiences",
            "listChannels",
            "listConflicts",
            "listExperiences",
            "listExperiments",
            "listKeys",
            "listMessages",
            "listMetrics",
            "listPlugins",
            "listProfileMoves",
            "listSources",
            "listWebhooks",
            "readAudienceForm",
            "readAudiencesPage",
            "readEventsPage",
            "readIndexPage",
            "readProfile",
            "reloadPlugins",
            "sendEvents",
        ]
        .contains(&id);
        assert_eq!(answer.status < 400, answers_anything, "{asked}: {}", answer.body);
    }
}

#[actix_web::test]
async fn each_request_that_fails_says_why_as_documented() {
    let shop = Shop::open().await;
    let server = shop.server().await;
    let (_, example) = examples::new_experiment().remove(0);
    let large = json!({"name": "x".repeat(1024 * 1024), "scope": "server"});
    let of_experiments = [
        ("POST /api/v1/experiments", Some(example), 422),
        ("POST /api/v1/experiments", Some(json!({"key": "x"})), 400),
        ("PATCH /api/v1/experiments/banner", Some(json!({"traffic": 0.5})), 422),
        ("PATCH /api/v1/experiments/banner", Some(large), 413),
        ("POST /api/v1/experiments/banner/versions", Some(json!({})), 422),
        ("POST /api/v1/experiments/hero/versions", Some(json!({})), 409),
        ("POST /api/v1/experiments/banner/variants", Some(json!({"key": "new"})), 422),
        ("POST /api/v1/experiments/hero/pause", None, 409),
        ("POST /api/v1/experiments/hero/undo", None, 409),
        ("POST /api/v1/experiments/banner/undo", Some(json!({"history_id": 999})), 400),
        ("POST /api/v1/experiments/banner/conclude", Some(json!({"serve": "red"})), 400),
        ("POST /api/v1/experiments/banner/pause?dry_run=true", None, 400),
        ("GET /api/v1/experiments/banner/history?cursor=0", None, 400),
        ("DELETE /api/v1/experiments/hero/variants/control", None, 400),
        ("DELETE /api/v1/experiments/hero/variants/nope", None, 404),
        ("POST /api/v1/experiments/hero/experience", None, 409),
        ("POST /api/v1/experiences", Some(json!({"key": "x"})), 400),
        ("POST /api/v1/experiences", Some(measured()), 422),
        ("GET /api/v1/experiences?limit=501", None, 400),
        ("GET /api/v1/experiences?status=lost", None, 400),
        ("POST /api/v1/plan", Some(json!({"baseline": 0.02})), 400),
        ("GET /api/v1/experiments?limit=many", None, 400),
        ("GET /api/v1/experiments?limit=501", None, 400),
        ("GET /api/v1/events?status=rejected&limit=501", None, 400),
        ("GET /api/v1/events?status=rejected&cursor=0", None, 400),
        ("GET /api/v1/events?limit=5", None, 400),
        ("GET /api/v1/experiments/banner/weights?limit=0", None, 400),
        ("GET /api/v1/experiments?status=lost", None, 400),
        ("GET /api/v1/experiments/nope/report.html", None, 404),
        ("GET /api/v1/experiments/banner/report.html?version=last", None, 400),
    ];
    for (asked, body, status) in
        of_experiments.into_iter().chain(delivery::failing()).chain(shoppers::failing())
    {
        let answer = server.try_out(Some("admin"), asked, body).await;
        assert_eq!(answer.status, status, "{asked}: {}", answer.body);
    }
}

/// An experience whose goal no plugin offers here.
fn measured() -> serde_json::Value {
    json!({"key": "x", "variants": [{"key": "a", "content": 1}], "fallback": "a", "goal": "conversion"})
}
