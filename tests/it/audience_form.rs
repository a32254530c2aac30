//! Audiences that are built by form, without a line of JSON.

use crate::harness::events::{now, order};
use crate::harness::{Answer, Book, Engine, Shop, named};
use serde_json::json;

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(a_marketer_builds_an_audience_by_form));
    book.both(named!(a_form_from_elsewhere_changes_nothing));
}

const FORM: &str = "/audiences/new";

/// Sends the form, as a browser does.
#[track_caller]
fn submit(shop: &Shop, fields: &[(&str, &str)]) -> Answer {
    let escaped = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect()
    };
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    let body = pairs.collect::<Vec<_>>().join("&");
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    shop.admin.call("POST", FORM, &form, Some(body.as_bytes()))
}

/// What shows that the form came from here.
#[track_caller]
fn token(shop: &Shop) -> String {
    let page = shop.admin.get(FORM).text();
    let (_, rest) = page.split_once("name=\"token\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

pub(crate) fn a_marketer_builds_an_audience_by_form(engine: Engine) {
    let shop = Shop::open(engine);
    let orders: Vec<_> =
        (0..12).map(|nth| order(&format!("u-{}", nth % 8), &format!("o-{nth}"), 500, now())).collect();
    shop.log(&orders);
    let token = token(&shop);
    let fields = |pressed: &'static str, value: &'static str| {
        [
            ("token".to_owned(), token.clone()),
            ("name".to_owned(), "Came <again> & again".to_owned()),
            ("key".to_owned(), String::new()),
            ("join".to_owned(), "all".to_owned()),
            ("asked-0".to_owned(), "orders".to_owned()),
            ("op-0".to_owned(), "gte".to_owned()),
            ("value-0".to_owned(), value.to_owned()),
            ("asked-1".to_owned(), String::new()),
            ("do".to_owned(), pressed.to_owned()),
        ]
    };
    let press = |pressed: &'static str, value: &'static str| {
        let fields = fields(pressed, value);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        submit(&shop, &fields)
    };
    let page = press("add", "2").text();
    assert_eq!(page.matches("<fieldset").count(), 3, "one row more");
    let page = press("count", "2").text();
    assert!(page.contains("<strong>4</strong> of 8 people"), "{page}");
    assert!(page.contains("the number of orders is at least 2"), "{page}");
    assert!(page.contains("Came &#60;again&#62; &#38; again"), "{page}");
    assert!(!page.contains("<again>"), "{page}");
    let wrong = press("save", "many").text();
    assert!(wrong.contains("value: a number such as 3"), "{wrong}");
    assert_eq!(shop.admin.get("/api/v1/audiences").expect(200)["data"], json!([]), "nothing is saved yet");
    let saved = press("save", "2");
    assert_eq!((saved.status, saved.header("location")), (303, Some("/audiences")));
    let audience = shop.admin.get("/api/v1/audiences/came-again-again").expect(200);
    assert_eq!(audience["size"], 4, "what was counted before");
    let list = shop.admin.get("/audiences").text();
    assert!(list.contains("Came &#60;again&#62; &#38; again") && list.contains("4 people"), "{list}");
    let twice = press("save", "2").text();
    assert!(twice.contains("there is an audience `came-again-again` already"), "{twice}");
    assert!(shop.admin.get("/").text().contains("href=\"/audiences\""));
}

pub(crate) fn a_form_from_elsewhere_changes_nothing(engine: Engine) {
    let shop = Shop::open(engine);
    let row = [("name", "x"), ("asked-0", "orders"), ("op-0", "gte"), ("value-0", "1"), ("do", "save")];
    for token in ["", "AAAA"] {
        let fields: Vec<_> = row.iter().copied().chain([("token", token)]).collect();
        assert_eq!(submit(&shop, &fields).status, 403);
    }
    for scope in ["server", "publishable"] {
        assert_eq!(shop.podium.client(scope).get(FORM).status, 403, "{scope}");
    }
    let nobody = shop.admin.with_key(None).get(FORM);
    assert_eq!(nobody.status, 401);
    assert!(nobody.header("www-authenticate").is_some_and(|how| how.starts_with("Basic")));
    assert_eq!(shop.admin.get("/api/v1/audiences").expect(200)["data"], json!([]));
}
