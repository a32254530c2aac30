//! The tracking protocol of Segment's and RudderStack's clients, spoken by hand.

use crate::harness::events::{history, now, order, rfc3339, track, viewed};
use crate::harness::{Answer, Book, Client, Engine, Shop, StoreLock, experiment, named, signal, soon};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;

const DAY_MS: i64 = 86_400_000;

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(every_path_key_encoding_and_content_type_is_taken));
    book.both(named!(the_path_says_what_an_event_is_that_does_not));
    book.both(named!(a_bad_event_is_named_and_its_batch_is_taken));
    book.both(named!(a_public_key_is_told_of_faults_of_form_alone));
    book.both(named!(what_is_older_than_is_kept_is_rejected));
    book.both(named!(a_different_event_with_the_same_id_is_a_counted_duplicate));
    book.both_alone(named!(a_full_queue_is_a_429_that_says_when_to_come_again));
    book.once(named!(errors_have_a_code_and_a_message));
    book.once(named!(a_body_that_does_not_arrive_is_a_408));
    book.once(named!(too_many_requests_of_one_address_are_a_429));
    book.once(named!(a_server_that_is_stopping_finishes_what_it_took));
    book.once(named!(the_browsers_client_is_told_where_events_go));
    book.once(named!(pages_of_any_origin_may_send));
}

pub(crate) fn basic(key: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{key}:")))
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn seen(message_id: &str) -> Value {
    track("ann", "Seen", message_id, history(), &json!({}))
}

/// What was taken, as the debugger lists it, newest first.
fn listed(shop: &Shop, query: &str) -> Vec<Value> {
    let listed = shop.admin.get(&format!("/api/v1/events?{query}")).expect(200);
    listed["data"].as_array().unwrap().clone()
}

#[track_caller]
fn taken(answer: &Answer) -> (u64, u64, usize) {
    let body = answer.expect(200);
    assert_eq!(body["success"], true, "{body}");
    let count = |name: &str| body[name].as_u64().unwrap();
    (count("accepted"), count("duplicate"), body["rejected"].as_array().unwrap().len())
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    let body = answer.expect(status);
    assert_eq!((&body["success"], &body["code"]), (&json!(false), &json!(code)), "{answer}");
    assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{answer}");
    let retry_after = answer.header("retry-after").map(|text| text.parse::<u32>().unwrap());
    let is_told = retry_after.is_some_and(|seconds| (1..=300).contains(&seconds));
    assert_eq!(is_told, matches!(status, 429 | 503), "{answer}: {retry_after:?}");
}

pub(crate) fn every_path_key_encoding_and_content_type_is_taken(engine: Engine) {
    let shop = Shop::open(engine);
    let client = shop.admin.with_key(None);
    let (publishable, server) = (shop.podium.key("publishable"), shop.podium.key("server"));
    let batches = ["/v1/batch", "/v1/b", "/v1/import"];
    let bearer = format!("Bearer {server}");
    let (of_server, of_page) = (basic(&server), basic(&publishable));
    let keys: [(&str, &str, Option<&str>); 5] = [
        ("authorization", &bearer, None),
        ("x-api-key", &server, None),
        ("authorization", &of_server, Some("not looked at")),
        ("authorization", &of_page, Some(&publishable)),
        ("x-nothing", "", Some(&publishable)),
    ];
    let types = ["application/json", "text/plain", "application/x-www-form-urlencoded", "image/png"];
    let mut n_sent = 0;
    for path in batches {
        for (name, value, write_key) in keys {
            for (type_idx, content_type) in types.into_iter().enumerate() {
                let mut body = json!({"batch": [seen(&format!("m-{n_sent}"))], "sentAt": null});
                if let Some(write_key) = write_key {
                    body["writeKey"] = json!(write_key);
                }
                let plain = body.to_string().into_bytes();
                let mut headers = vec![(name, value), ("content-type", content_type)];
                // Every other one compressed, of which every other one does not say so.
                let body = if type_idx % 2 == 0 { plain } else { gzip(&plain) };
                if type_idx == 1 {
                    headers.push(("content-encoding", "gzip"));
                }
                let answer = client.call("POST", path, &headers, Some(&body));
                assert_eq!(taken(&answer), (1, 0, 0), "{path} {name} {content_type}");
                n_sent += 1;
            }
        }
    }
    let listed = listed(&shop, "status=accepted&limit=500");
    assert_eq!(listed.len(), n_sent);
    let n_public = listed.iter().filter(|event| event["scope"] == "publishable").count();
    assert_eq!(n_public, n_sent * 2 / 5, "what was sent with a publishable key");
    let telemetry = client.call("POST", "/v1/m", &[], Some(b"{\"series\": []}"));
    assert_eq!(telemetry.expect(200)["success"], true);
}

pub(crate) fn the_path_says_what_an_event_is_that_does_not(engine: Engine) {
    let shop = Shop::open(engine);
    let paths = [
        ("track", "t", "track"),
        ("identify", "i", "identify"),
        ("page", "p", "page"),
        ("screen", "s", "screen"),
        ("alias", "a", "alias"),
        ("group", "g", "group"),
    ];
    for (long, short, event_type) in paths {
        for path in [long, short] {
            let event = json!({"userId": 7, "anonymousId": null, "previousId": "v", "event": "Seen", "messageId": path});
            let answer = shop.admin.post(&format!("/v1/{path}"), &event);
            assert_eq!(taken(&answer), (1, 0, 0), "{path}");
            let newest = &listed(&shop, "status=accepted&limit=1")[0];
            assert_eq!(
                (&newest["type"], &newest["unit"]),
                (&json!(event_type), &json!("7")),
                "{path}: {newest}"
            );
            let other = if event_type == "alias" { json!("v") } else { Value::Null };
            assert_eq!(newest["other_id"], other, "{path}: {newest}");
            let name = if event_type == "track" { json!("Seen") } else { Value::Null };
            assert_eq!(newest["name"], name, "{path}: {newest}");
        }
    }
    let said = json!({"type": "page", "userId": "u", "messageId": "said"});
    assert_eq!(taken(&shop.admin.post("/v1/track", &said)), (1, 0, 0));
    assert_eq!(
        listed(&shop, "status=accepted&limit=1")[0]["type"],
        "page",
        "what it says itself comes first"
    );
}

pub(crate) fn a_bad_event_is_named_and_its_batch_is_taken(engine: Engine) {
    let shop = Shop::open(engine);
    let mut bad = order("ann", "o-1", 100, history());
    bad["properties"]["revenue"] = json!("much");
    let alias = json!({"type": "alias", "userId": "u", "messageId": "alias"});
    let nobody = json!({"event": "Seen", "messageId": "nul\u{0}", "userId": "", "anonymousId": null});
    let batch =
        json!([bad, seen("good"), seen("good"), alias, nobody, {"userId": "u", "type": "track\u{0}"}, 7]);
    let answer = shop.admin.post("/v1/batch", &json!({ "batch": batch }));
    assert_eq!(taken(&answer), (1, 1, 5), "{answer}");
    let rejected = &answer.json()["rejected"];
    let first = json!({
        "index": 0, "messageId": "o-1/completed", "reason": "bad_amount", "field": "/batch/0/properties/revenue"
    });
    assert_eq!(rejected[0], first);
    let of: Vec<(&Value, &Value)> =
        rejected.as_array().unwrap().iter().map(|each| (&each["reason"], &each["field"])).collect();
    let expected = json!([
        ["bad_amount", "/batch/0/properties/revenue"],
        ["no_user_or_anonymous_id", "/batch/3/previousId"],
        ["no_user_or_anonymous_id", "/batch/4/userId"],
        ["unknown_type", "/batch/5/type"],
        ["not_an_object", "/batch/6"]
    ]);
    assert_eq!(json!(of), expected, "{answer}");
    let kept = listed(&shop, "status=rejected");
    let reasons: Vec<&str> = kept.iter().rev().map(|each| each["reason"].as_str().unwrap()).collect();
    let told: Vec<&str> = expected.as_array().unwrap().iter().map(|each| each[0].as_str().unwrap()).collect();
    assert_eq!(reasons, told, "each is kept");
    let oldest = kept.last().unwrap();
    for (member, value) in [
        ("type", json!("track")),
        ("name", json!("Order Completed")),
        ("unit", json!("ann")),
        ("message_id", json!("o-1/completed")),
        ("scope", json!("server")),
        ("pointer", json!("/batch/0/properties/revenue")),
        ("time", json!(rfc3339(history()).replace(".000Z", "Z"))),
    ] {
        assert_eq!(oldest[member], value, "{member}: {oldest}");
    }
}

pub(crate) fn a_public_key_is_told_of_faults_of_form_alone(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&experiment("banner", &["control", "b"]));
    let wrong = viewed("ann", "banner", "z", history());
    let batch = json!({"batch": [seen("good"), wrong, {"userId": "u"}]});
    for path in ["/v1/batch", "/api/v1/events"] {
        let public = shop.podium.client("publishable").post(path, &batch).expect(200);
        let told = public["rejected"].as_array().unwrap();
        assert_eq!(told.len(), 1, "{public}");
        assert_eq!((&told[0]["index"], &told[0]["reason"]), (&json!(2), &json!("missing_event_name")));
        let n_taken = public["accepted"].as_u64().unwrap() + public["duplicate"].as_u64().unwrap();
        assert_eq!(n_taken, 2, "the sums do not tell either: {public}");
        assert!(!public.to_string().contains("control"), "{public}");
        let server = shop.podium.client("server").post(path, &batch).expect(200);
        assert_eq!(server["rejected"][0]["reason"], "variant_not_assigned", "{server}");
    }
    let n_kept = listed(&shop, "status=rejected&name=Experiment%20Viewed").len();
    assert_eq!(n_kept, 4, "each is shown to whoever may see it");
}

pub(crate) fn what_is_older_than_is_kept_is_rejected(engine: Engine) {
    let shop = Shop::with(engine, Vec::new(), &[("PODIUM_EVENT_RETENTION_DAYS", "30")]);
    let at = |days_ago: i64, id: &str| track("ann", "Seen", id, now() - days_ago * DAY_MS, &json!({}));
    let answer = shop.admin.post("/v1/batch", &json!({"batch": [at(29, "young"), at(31, "old")]}));
    assert_eq!(taken(&answer), (1, 0, 1), "{answer}");
    assert_eq!(answer.json()["rejected"][0]["reason"], "older_than_retention");
    // A clock that is a year behind is no age, whether the event or the request says when it was sent.
    let mut behind = at(365 + 3, "behind");
    let sent_at = rfc3339(now() - 365 * DAY_MS);
    let answer = shop.admin.post("/v1/batch", &json!({"batch": [behind], "sentAt": sent_at}));
    assert_eq!(taken(&answer), (1, 0, 0), "{answer}");
    behind["messageId"] = json!("behind-too");
    behind["sentAt"] = json!(sent_at);
    let timestamp = behind.as_object_mut().unwrap().remove("timestamp").unwrap();
    behind["originalTimestamp"] = timestamp;
    assert_eq!(taken(&shop.admin.post("/v1/track", &behind)), (1, 0, 0));
    let said = listed(&shop, "status=accepted&limit=2");
    let three_days_ago = now() - 3 * DAY_MS;
    let instant = |of: &Value| of.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    for event in said {
        let time = instant(&event["time"]);
        assert!((time.as_millisecond() - three_days_ago).abs() < DAY_MS, "{event}");
    }
    // What is ahead of our clock happened when it arrived.
    let ahead = track("ann", "Seen", "ahead", now() + DAY_MS, &json!({}));
    assert_eq!(taken(&shop.admin.post("/v1/track", &ahead)), (1, 0, 0));
    let newest = &listed(&shop, "status=accepted&limit=1")[0];
    assert!(instant(&newest["time"]) <= instant(&newest["received_at"]), "{newest}");
}

/// A counter, as Prometheus reads it.
fn counted(shop: &Shop, line: &str) -> u64 {
    let text = shop.admin.get("/metrics").text();
    let found = text.lines().find_map(|each| each.strip_prefix(line));
    found.map_or(0, |count| count.trim().parse().unwrap())
}

pub(crate) fn a_different_event_with_the_same_id_is_a_counted_duplicate(engine: Engine) {
    let shop = Shop::open(engine);
    let outcome = |name: &str| counted(&shop, &format!("podium_events_total{{outcome=\"{name}\"}}"));
    let told = |cents: u32| {
        let mut event = order("ann", "o-1", i64::from(cents), history());
        event["sentAt"] = json!(rfc3339(now()));
        event
    };
    let send = |batch: &[Value]| taken(&shop.admin.post("/v1/batch", &json!({ "batch": batch })));
    // The same in one request, and in another that was sent later.
    assert_eq!(send(&[told(100), told(100)]), (1, 1, 0));
    assert_eq!(send(&[told(100)]), (0, 1, 0));
    assert_eq!((outcome("duplicate"), outcome("dedup_conflict")), (2, 0));
    assert_eq!(send(&[told(200), seen("m"), track("bob", "Seen", "m", history(), &json!({}))]), (1, 2, 0));
    assert_eq!((outcome("duplicate"), outcome("dedup_conflict")), (2, 2));
    let kept = listed(&shop, "status=accepted&limit=1");
    assert_eq!(kept[0]["unit"], "ann", "the first one counts");
}

pub(crate) fn a_full_queue_is_a_429_that_says_when_to_come_again(engine: Engine) {
    let shop = Shop::open(engine);
    let lock = StoreLock::hold(shop.database.url());
    let (sender, answers) = mpsc::channel();
    let batch = |request_idx: usize| {
        let event =
            |idx: usize| json!({"event": "Seen", "userId": "u", "messageId": format!("{request_idx}-{idx}")});
        json!({"batch": (0..2_500).map(event).collect::<Vec<_>>()})
    };
    for request_idx in 0..14 {
        let (client, sender) = (shop.admin.with_key(Some(&shop.podium.key("server"))), sender.clone());
        let body = batch(request_idx).to_string();
        std::thread::spawn(move || {
            let answer = client.try_call("POST", "/v1/batch", &[], Some(body.as_bytes()));
            let _ = sender.send((request_idx, answer.unwrap()));
        });
    }
    drop(sender);
    let (request_idx, first) = answers.recv().unwrap();
    refused(&first, 429, "queue_full");
    lock.release();
    let mut again = vec![request_idx];
    for (request_idx, answer) in answers {
        if answer.status == 429 {
            again.push(request_idx);
        } else {
            assert_eq!(taken(&answer), (2_500, 0, 0), "{answer}");
        }
    }
    for request_idx in again {
        assert_eq!(taken(&shop.admin.post("/v1/batch", &batch(request_idx))), (2_500, 0, 0));
    }
    assert!(0 < counted(&shop, "podium_requests_shed_total{reason=\"queue_full\"}"));
}

pub(crate) fn errors_have_a_code_and_a_message() {
    let mut shop = Shop::open(Engine::Sqlite);
    let (client, nobody) = (&shop.podium.client("publishable"), &shop.admin.with_key(None));
    let post = |client: &Client, path: &str, body: &[u8]| client.call("POST", path, &[], Some(body));
    for body in [&b""[..], b"{", b"7", b"{\"batch\": 7}", b"\xff", b"\x1f\x8b\x08", b"{\"batch\": []} x"] {
        refused(&post(client, "/v1/batch", body), 400, "bad_json");
    }
    let not_gzip =
        client.call("POST", "/v1/batch", &[("content-encoding", "gzip")], Some(b"{\"batch\": []}"));
    refused(&not_gzip, 400, "bad_json");
    let sentences = vec![json!(1); 20_000];
    refused(&client.post("/v1/batch", &json!({ "batch": sentences })), 400, "bad_json");
    let large = vec![b' '; (1 << 20) + 1];
    refused(&post(client, "/v1/batch", &large), 413, "body_too_large");
    refused(&post(client, "/v1/batch", &gzip(&large)), 413, "body_too_large");
    let fits = [b"{\"batch\": []}".to_vec(), vec![b' '; 1 << 20]].concat();
    assert_eq!(taken(&post(client, "/v1/batch", &gzip(&fits[..1 << 20]))), (0, 0, 0));
    for body in
        ["{\"batch\": []}", "{\"batch\": [], \"writeKey\": \"podium_pub_x_y\"}", "{\"writeKey\": 7}", "{"]
    {
        refused(&post(nobody, "/v1/batch", body.as_bytes()), 401, "unknown_key");
    }
    let wrong = shop.admin.with_key(Some("podium_srv_x_y"));
    let has_both = json!({"batch": [], "writeKey": shop.podium.key("publishable")});
    refused(&wrong.post("/v1/batch", &has_both), 401, "unknown_key");
    let in_query = format!("/v1/batch?writeKey={}", shop.podium.key("publishable"));
    refused(&nobody.post(&in_query, &json!({"batch": []})), 401, "unknown_key");
    for path in
        ["/v1", "/v1/", "/v1/nothing", "/v1/batch/", "/v1/batch/more", "/v1/projects/settings", "/v1/%ff"]
    {
        refused(&client.post(path, &json!({})), 404, "not_found");
    }
    for (method, path) in [("GET", "/v1/batch"), ("PUT", "/v1/t"), ("POST", "/v1/projects/x/settings")] {
        let answer = client.call(method, path, &[], None);
        refused(&answer, 405, "method_not_allowed");
        assert!(answer.header("allow").is_some_and(|allow| !allow.contains(method)), "{answer}");
    }
    assert!(shop.podium.is_running());
}

/// Sends a request over a connection that is left open, and reads the answer.
fn ask(stream: &mut TcpStream, request: &str) -> (u16, String) {
    stream.write_all(request.as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    let (mut status, mut length, mut line) = (0, 0, String::new());
    while reader.read_line(&mut line).unwrap() != 0 && !line.trim_end().is_empty() {
        let text = line.trim_end().to_ascii_lowercase();
        if let Some(rest) = text.strip_prefix("http/1.1 ") {
            status = rest[..3].parse().unwrap();
        }
        if let Some(rest) = text.strip_prefix("content-length: ") {
            length = rest.parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (status, String::from_utf8(body).unwrap())
}

fn request(key: &str, body: &str, n_bytes: usize) -> String {
    format!(
        "POST /v1/batch HTTP/1.1\r\nhost: shop\r\nx-api-key: {key}\r\ncontent-length: {n_bytes}\r\n\r\n{body}"
    )
}

fn connect(shop: &Shop) -> TcpStream {
    TcpStream::connect(shop.podium.url().strip_prefix("http://").unwrap()).unwrap()
}

pub(crate) fn a_body_that_does_not_arrive_is_a_408() {
    let shop = Shop::open(Engine::Sqlite);
    let (status, body) = ask(&mut connect(&shop), &request(&shop.podium.key("server"), "{\"batch\":", 100));
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["code"]), (408, &json!("body_too_slow")), "{body}");
}

pub(crate) fn too_many_requests_of_one_address_are_a_429() {
    let limits = [("PODIUM_EVENT_RATE_PER_ADDRESS", "1"), ("PODIUM_EVENT_BURST_PER_ADDRESS", "3")];
    let shop = Shop::with(
        Engine::Sqlite,
        Vec::new(),
        &[&limits[..], &[("PODIUM_TRUSTED_PROXY", "127.0.0.1")]].concat(),
    );
    let page = shop.podium.client("publishable");
    let body = |id: &str| json!({"batch": [seen(id)]}).to_string();
    let send = |path: &str, id: &str, from: &str| {
        page.call("POST", path, &[("x-forwarded-for", from)], Some(body(id).as_bytes()))
    };
    let mut answers = (0..30).map(|idx| (idx, send("/v1/batch", &format!("m-{idx}"), "203.0.113.9")));
    let (first_refused, answer) = answers.find(|(_, answer)| answer.status != 200).unwrap();
    assert!(3 <= first_refused, "a few may come at once");
    refused(&answer, 429, "rate_limited");
    let ours = send("/api/v1/events", "m", "203.0.113.9");
    let problem = ours.problem(429);
    assert_eq!(problem.slug, "rate-limited");
    assert!(ours.header("retry-after").is_some());
    assert_eq!(
        taken(&send("/v1/batch", "other", "192.0.2.1, 203.0.113.10")),
        (1, 0, 0),
        "others are not hurt"
    );
    let server = shop.podium.client("server");
    for idx in 0..10 {
        assert_eq!(
            taken(&server.post("/v1/batch", &json!({"batch": [seen(&format!("s-{idx}"))]}))),
            (1, 0, 0)
        );
    }
    let id = format!("m-{first_refused}");
    let again = soon("its turn", || {
        Some(send("/v1/batch", &id, "203.0.113.9")).filter(|answer| answer.status == 200)
    });
    assert_eq!(taken(&again), (1, 0, 0), "what was refused was not taken");
    assert!(0 < counted(&shop, "podium_requests_shed_total{reason=\"rate_limited\"}"));
}

pub(crate) fn a_server_that_is_stopping_finishes_what_it_took() {
    let mut shop = Shop::open(Engine::Sqlite);
    let body = json!({"batch": [seen("early")]}).to_string();
    let asked = request(&shop.podium.key("server"), &body, body.len());
    let lock = StoreLock::hold(shop.database.url());
    let mut stream = connect(&shop);
    let answered = std::thread::spawn(move || ask(&mut stream, &asked));
    soon("the request is there", || (counted_queue(&shop) == 1).then_some(()));
    signal("TERM", shop.podium.pid());
    let is_stopping = || shop.podium.log().iter().any(|line| line.contains("stopping")).then_some(());
    soon("it is stopping", is_stopping);
    lock.release();
    assert_eq!(answered.join().unwrap().0, 200);
    assert!(shop.podium.stop().success());
    shop.restart();
    assert_eq!(listed(&shop, "status=accepted")[0]["message_id"], "early");
}

/// Events that wait to be written.
fn counted_queue(shop: &Shop) -> u64 {
    counted(shop, "podium_ingest_queue_events")
}

pub(crate) fn the_browsers_client_is_told_where_events_go() {
    let settings = |shop: &Shop, key: &str| {
        shop.admin.with_key(None).call(
            "GET",
            &format!("/v1/projects/{key}/settings"),
            &[("origin", "https://shop.example"), ("host", "evil.example")],
            None,
        )
    };
    for (url, host, protocol) in [
        ("https://events.shop.example:8443/podium/", "events.shop.example:8443/podium/v1", "https"),
        ("http://localhost:8080", "localhost:8080/v1", "http"),
    ] {
        let shop = Shop::with(Engine::Sqlite, Vec::new(), &[("PODIUM_PUBLIC_URL", url)]);
        let key = shop.podium.key("publishable");
        let answer = settings(&shop, &key);
        let destination = json!({"apiKey": key, "apiHost": host, "protocol": protocol});
        assert_eq!(answer.expect(200), json!({"integrations": {"Segment.io": destination}}));
        assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        refused(&settings(&shop, "podium_pub_x_y"), 401, "unknown_key");
        refused(&settings(&shop, &shop.podium.key("server")), 401, "unknown_key");
    }
}

pub(crate) fn pages_of_any_origin_may_send() {
    let shop = Shop::open(Engine::Sqlite);
    let page = shop.admin.with_key(None);
    let origin = ("origin", "https://shop.example");
    for path in ["/v1/t", "/v1/batch", "/v1/projects/x/settings", "/v1/m"] {
        let asked = [origin, ("access-control-request-method", "POST")];
        let answer = page.call("OPTIONS", path, &asked, None);
        assert_eq!(answer.status, 204, "{answer}");
        let allowed = answer.header("access-control-allow-headers").unwrap();
        assert!(allowed.contains("authorization") && allowed.contains("content-type"), "{allowed}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
    for (method, path) in [("POST", "/v1/t"), ("GET", "/v1/nothing"), ("POST", "/v1/m")] {
        let answer = page.call(method, path, &[origin], None);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{answer}");
        let exposed = answer.header("access-control-expose-headers").unwrap();
        assert!(exposed.contains("retry-after"), "errors too: {exposed}");
    }
}
