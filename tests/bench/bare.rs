//! The least a web server can do: parses the body of a decide call, makes an id, answers JSON of the same shape.
//!
//! It checks no key, knows no flag and remembers nothing. What `podium serve` costs beyond this is what deciding
//! costs; `tests/bench/run` compares the two.
#![expect(clippy::print_stdout, reason = "the ready line is for whoever started it")]
#![expect(clippy::struct_field_names, reason = "fields are named as on the wire")]

use actix_web::{App, HttpResponse, HttpServer, web};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use uuid::Uuid;

/// The allocator of the server, so that the difference is not that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The body of a decide call, borrowed from the bytes that came in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call<'a> {
    #[serde(borrow, default)]
    unit: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    units: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    flags: Vec<Cow<'a, str>>,
    #[serde(default)]
    exposure: Option<bool>,
}

#[derive(Serialize)]
struct Decision<'a> {
    flag: &'a str,
    unit: &'a str,
    experiment: &'a str,
    variant: &'static str,
    value: Value,
    reason: &'static str,
    propensity: f64,
    weights_version: u32,
    decision_id: Uuid,
}

#[derive(Clone, Copy, Serialize)]
struct Value {
    title: &'static str,
}

#[derive(Serialize)]
struct Answer<'a> {
    decisions: Vec<Decision<'a>>,
    snapshot_version: u64,
}

async fn decide(body: web::Bytes) -> HttpResponse {
    let Ok(call) = serde_json::from_slice::<Call<'_>>(&body) else {
        return HttpResponse::BadRequest().finish();
    };
    let units = call.unit.iter().chain(&call.units);
    let pairs = units.flat_map(|unit| call.flags.iter().map(move |flag| (unit, flag)));
    let decisions = pairs.map(|(unit, flag)| Decision {
        flag,
        unit,
        experiment: flag,
        variant: "control",
        value: Value { title: "control" },
        reason: if call.exposure == Some(false) { "DISABLED" } else { "SPLIT" },
        propensity: 0.2,
        weights_version: 1,
        decision_id: Uuid::now_v7(),
    });
    let answer = Answer { decisions: decisions.collect(), snapshot_version: 1 };
    HttpResponse::Ok().json(answer)
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let server = HttpServer::new(|| App::new().route("/api/v1/decide", web::post().to(decide)));
    let server = match std::env::var("BARE_WORKERS").ok().and_then(|text| text.parse().ok()) {
        Some(n_workers) => server.workers(n_workers),
        None => server,
    };
    let server = server.bind(("127.0.0.1", 0))?;
    for address in server.addrs() {
        println!("bare listening on http://{address}");
    }
    server.run().await
}
