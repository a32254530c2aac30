//! Who may do what.

use crate::harness::{Book, Client, Engine, Shop, experiment, named};
use serde_json::json;

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(each_scope_may_do_its_own_and_no_more));
    book.both(named!(a_key_is_taken_from_every_place_it_may_stand_in));
    book.both(named!(a_key_is_shown_once_and_ends_when_revoked));
    book.both(named!(the_first_start_writes_keys_that_others_cannot_read));
}

/// The least scope that a route asks for, in ascending order of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Publishable,
    Server,
    Admin,
}

const ROUTES: [(&str, &str, Scope); 30] = [
    ("POST", "/api/v1/decide", Scope::Publishable),
    ("POST", "/api/v1/events", Scope::Publishable),
    ("POST", "/api/v1/exposures", Scope::Publishable),
    ("GET", "/api/v1/events?status=rejected", Scope::Server),
    ("GET", "/api/v1/experiments", Scope::Server),
    ("GET", "/api/v1/experiments/banner", Scope::Server),
    ("GET", "/api/v1/experiments/banner/report", Scope::Server),
    ("GET", "/api/v1/experiments/banner/report.csv", Scope::Server),
    ("GET", "/api/v1/experiments/banner/weights", Scope::Server),
    ("GET", "/api/v1/experiments/banner/history", Scope::Server),
    ("GET", "/api/v1/decisions/019abcde-0000-7000-8000-000000000000/explain", Scope::Server),
    ("GET", "/api/v1/metrics", Scope::Server),
    ("POST", "/api/v1/plan", Scope::Server),
    ("POST", "/api/v1/experiments", Scope::Admin),
    ("PATCH", "/api/v1/experiments/banner", Scope::Admin),
    ("POST", "/api/v1/experiments/banner/start", Scope::Admin),
    ("POST", "/api/v1/experiments/banner/pause", Scope::Admin),
    ("POST", "/api/v1/experiments/banner/conclude", Scope::Admin),
    ("POST", "/api/v1/experiments/banner/archive", Scope::Admin),
    ("POST", "/api/v1/experiments/banner/undo", Scope::Admin),
    ("GET", "/api/v1/webhooks", Scope::Admin),
    ("POST", "/api/v1/webhooks", Scope::Admin),
    ("DELETE", "/api/v1/webhooks/none", Scope::Admin),
    ("POST", "/api/v1/experiments/banner/variants", Scope::Admin),
    ("DELETE", "/api/v1/experiments/banner/variants/b", Scope::Admin),
    ("POST", "/api/v1/experiments/banner/versions", Scope::Admin),
    ("GET", "/api/v1/keys", Scope::Admin),
    ("POST", "/api/v1/keys", Scope::Admin),
    ("DELETE", "/api/v1/keys/none", Scope::Admin),
    ("PUT", "/api/v1/keys/none/origins", Scope::Admin),
];

pub(crate) fn each_scope_may_do_its_own_and_no_more(engine: Engine) {
    let shop = Shop::open(engine);
    shop.register(&experiment("banner", &["control", "b"]));
    let before = shop.experiment("banner");
    let body = |method: &str| (method != "GET").then_some(&b"not json"[..]);
    let mut faults = Vec::new();
    for (method, path, least) in ROUTES {
        let mut check = |who: &str, client: &Client, expected: Option<u16>| {
            // A body that no route takes: whoever is let in is told so, and nothing is changed.
            let answer = client.call(method, path, &[], body(method));
            let is_let_in = !matches!(answer.status, 401 | 403);
            match expected {
                None if !is_let_in || answer.status >= 500 => {
                    faults.push(format!("{who} is refused: {answer}"));
                }
                Some(status) if answer.status != status => {
                    faults.push(format!("{who} should get {status}: {answer}"));
                }
                Some(status) => drop(answer.problem(status)),
                None => {}
            }
        };
        check("nobody", &shop.admin.with_key(None), Some(401));
        let stranger = shop.podium.key("admin").replace("podium_adm_", "podium_adm_0");
        check("a stranger", &shop.admin.with_key(Some(&stranger)), Some(401));
        let mut forged = shop.podium.key("admin");
        let last = if forged.pop() == Some('0') { '1' } else { '0' };
        forged.push(last);
        check("a forger", &shop.admin.with_key(Some(&forged)), Some(401));
        for (name, scope) in
            [("publishable", Scope::Publishable), ("server", Scope::Server), ("admin", Scope::Admin)]
        {
            check(name, &shop.podium.client(name), (scope < least).then_some(403));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(shop.experiment("banner"), before, "nothing was changed");
}

pub(crate) fn a_key_is_taken_from_every_place_it_may_stand_in(engine: Engine) {
    let shop = Shop::open(engine);
    let key = shop.podium.key("server");
    let anyone = shop.admin.with_key(None);
    let bearer = format!("Bearer {key}");
    let basic = format!("Basic {}", base64(&format!("{key}:")));
    for header in [("Authorization", bearer.as_str()), ("X-API-Key", &key), ("Authorization", &basic)] {
        let answer = anyone.call("GET", "/api/v1/experiments", &[header], None);
        assert_eq!(answer.status, 200, "{}: {answer}", header.0);
    }
    let answer = anyone.get(&format!("/api/v1/experiments?key={key}"));
    assert_ne!(answer.status, 200, "never in a query string");
}

/// # Source
///
/// Josefsson (2006), *The Base16, Base32, and Base64 data encodings*, RFC 4648, section 4.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for bytes in text.as_bytes().chunks(3) {
        let mut group = [0; 3];
        group[..bytes.len()].copy_from_slice(bytes);
        let bits = u32::from(group[0]) << 16 | u32::from(group[1]) << 8 | u32::from(group[2]);
        for digit_idx in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * digit_idx) & 63) as usize];
            encoded.push(if digit_idx <= bytes.len() { char::from(digit) } else { '=' });
        }
    }
    encoded
}

pub(crate) fn a_key_is_shown_once_and_ends_when_revoked(engine: Engine) {
    let mut shop = Shop::open(engine);
    let made = shop.admin.post("/api/v1/keys", &json!({"scope": "server", "name": "checkout"})).expect(201);
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert!(key.starts_with(&format!("podium_srv_{id}_")), "{key}");
    let open = |shop: &Shop| shop.admin.with_key(Some(key)).get("/api/v1/experiments").status;
    assert_eq!(open(&shop), 200);
    let listed = shop.admin.get("/api/v1/keys").expect(200);
    let found = listed["data"].as_array().unwrap().iter().find(|each| each["id"] == id).unwrap();
    assert_eq!((&found["scope"], &found["name"]), (&json!("server"), &json!("checkout")));
    assert!(!listed.to_string().contains(key), "the secret is shown once");
    shop.restart();
    assert_eq!(open(&shop), 200, "a key outlives a restart");
    let revoked = shop.admin.call("DELETE", &format!("/api/v1/keys/{id}"), &[], None);
    assert!(matches!(revoked.status, 200 | 204), "{revoked}");
    assert_eq!(open(&shop), 401);
    shop.restart();
    assert_eq!(open(&shop), 401, "also after a restart");
    assert!(!shop.podium.log().iter().any(|line| line.contains(key)), "a secret is never logged");
}

pub(crate) fn the_first_start_writes_keys_that_others_cannot_read(engine: Engine) {
    use std::os::unix::fs::PermissionsExt;
    let mut shop = Shop::open(engine);
    let path = shop.data_dir().join("keys.json");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    let before = std::fs::read_to_string(&path).unwrap();
    shop.restart();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before, "a second start makes no new ones");
    let admin = shop.podium.key("admin");
    assert!(!shop.podium.log().iter().any(|line| line.contains(&admin)), "a secret is never logged");
}
