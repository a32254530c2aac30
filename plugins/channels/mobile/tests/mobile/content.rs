//! What the author of a variant may write.

use crate::channel::{Letter, Mobile, check, created, registry};
use podium_plugin_host::{ChannelFault, OutcomeStatus, ProviderClass};
use serde_json::{Value, json};

fn mobile() -> Mobile {
    Mobile::new(&json!({ "web_push": web_push() }))
}

fn web_push() -> Value {
    json!({ "subject": "mailto:push@shop.example", "private_key": { "secret": "VAPID" } })
}

fn apns() -> Value {
    json!({ "team_id": "TEAM", "key_id": "KEY", "private_key": { "secret": "APNS" }, "topic": "com.example" })
}

#[test]
fn a_repeat_is_seen_once() {
    let info = registry().find_channel("mobile").unwrap();
    assert_eq!((info.class, info.plugin_id.as_str()), (ProviderClass::Coalescing, "podium.mobile"));
}

#[test]
fn values_are_escaped_for_their_place() {
    let content = json!({
        "title": "Hi {{ name }}",
        "body": "<b>",
        "url": "https://shop.example/c?u={{ name }}",
        "image": "https://cdn.example/{{ name }}.png",
        "data": { "cart": "{{ name | none }}" },
    });
    let filled = mobile().rendered(&content, "a\"&b").unwrap();
    assert_eq!(filled.part("title"), Some("Hi a\"&b"));
    assert_eq!(filled.part("body"), Some("<b>"));
    assert_eq!(filled.part("url"), Some("https://shop.example/c?u=a%22%26b"));
    assert_eq!(filled.part("image"), Some("https://cdn.example/a%22%26b.png"));
    assert_eq!(filled.part("data"), Some(r#"{"cart":"a\"\u0026b"}"#));
}

#[test]
fn content_errors_name_the_place() {
    let text = |place: &str, link: &str| {
        format!(
            "{place}: {link:?} must begin with https:// and a host, and a placeholder may only stand behind that"
        )
    };
    for (other, expected) in [
        (json!({ "title": " " }), "/title: a notification without a title is not shown".to_owned()),
        (json!({ "url": "http://a.example/" }), text("/url", "http://a.example/")),
        (json!({ "url": "https://{{ host }}/" }), text("/url", "https://{{ host }}/")),
        (json!({ "image": "/a.png" }), text("/image", "/a.png")),
        (
            json!({ "data": { "aps": "x" } }),
            "/data/aps: this name has a meaning already; choose another".to_owned(),
        ),
        (
            json!({ "data": { "google.x": "x" } }),
            "/data/google.x: this name has a meaning already; choose another".to_owned(),
        ),
        (
            json!({ "body": "é".repeat(2_047) + "{{ name }}" }),
            "4098 bytes of text, but a notification has 4096 at most".to_owned(),
        ),
    ] {
        let mut content = json!({ "title": "Sale", "body": "" });
        for (name, member) in other.as_object().unwrap() {
            content[name] = member.clone();
        }
        let fault = mobile().rendered(&content, "v").unwrap_err();
        assert_eq!(fault, ChannelFault::Content { text: expected });
    }
    let fault = mobile().rendered(&json!({ "title": "a", "text": "b" }), "v").unwrap_err().to_string();
    assert!(fault.starts_with("unknown field `text`, expected one of `title`, `body`, "), "{fault}");
    let fault = mobile().rendered(&json!({ "title": "a", "body": "{{ a b }}" }), "v").unwrap_err();
    assert!(fault.to_string().contains("body: \" a b \" is no placeholder"), "{fault}");
}

#[test]
fn settings_that_make_no_sense_are_refused_by_name() {
    let account = json!({ "service_account": { "secret": "ACCOUNT" } });
    for (config, expected) in [
        (json!({}), "set at least one of `web_push`, `fcm` and `apns`"),
        (
            json!({ "web_push": web_push(), "trusted_roots": "none" }),
            "`trusted_roots` must be certificates in PEM",
        ),
        (
            json!({ "web_push": with(web_push(), "subject", "push@shop.example") }),
            "`web_push.subject`: \"push@shop.example\" must begin with mailto: or https://",
        ),
        (
            json!({ "web_push": with(web_push(), "private_key", json!({ "secret": "WRONG" })) }),
            "`web_push.private_key` must be a private key on P-256: 32 bytes in base64url",
        ),
        (
            json!({ "fcm": with(account.clone(), "service_account", json!({ "secret": "WRONG" })) }),
            "`fcm.service_account` must be the JSON key file of a service account: an object with `client_email` \
             and `private_key`",
        ),
        (
            json!({ "fcm": { "service_account": { "secret": "ACCOUNT_WITHOUT_KEY" } } }),
            "`fcm.service_account` must be the JSON key file of a service account: its `private_key` is no private \
             key in PEM",
        ),
        (
            json!({ "fcm": { "service_account": { "secret": "ACCOUNT_WITHOUT_PROJECT" } } }),
            "`fcm.project_id`: \"\" is no id of a project, and the key file names none",
        ),
        (
            json!({ "fcm": with(account.clone(), "project_id", "a/b") }),
            "`fcm.project_id`: \"a/b\" is no id of a project, and the key file names none",
        ),
        (
            json!({ "fcm": with(account.clone(), "endpoint", "ftp://a.example") }),
            "`fcm.endpoint`: \"ftp://a.example\" is no address such as https://push.example",
        ),
        (
            json!({ "fcm": with(account, "token_endpoint", "https://u:p@a.example") }),
            "`fcm.token_endpoint`: \"https://u:p@a.example\" is no address such as https://push.example",
        ),
        (
            json!({ "apns": with(apns(), "team_id", "a b") }),
            "`apns.team_id`: \"a b\" is no id: letters and digits",
        ),
        (
            json!({ "apns": with(apns(), "topic", "a\nb") }),
            "`apns.topic`: \"a\\nb\" is no bundle id, such as com.example.shop",
        ),
        (
            json!({ "apns": with(apns(), "private_key", json!({ "secret": "WRONG" })) }),
            "`apns.private_key` must be the text of a .p8 file: a private key on P-256 in PEM",
        ),
        (
            json!({ "apns": with(apns(), "private_key", json!({ "secret": "LOST" })) }),
            "/apns/private_key: there is no secret \"LOST\" for this plugin",
        ),
    ] {
        let error = created(&config).map(|_| "an instance").unwrap_err().to_string();
        assert_eq!(error, expected);
        assert!(!error.contains("hunter2"));
    }
}

fn with(mut settings: Value, name: &str, value: impl Into<Value>) -> Value {
    settings[name] = value.into();
    settings
}

#[test]
fn an_address_has_one_of_the_forms_and_its_provider_is_set_up() {
    let none = "the address has none of the forms of web_push, fcm and apns";
    for (address, expected) in [
        (json!({ "fcm": { "token": "t" } }), "the channel has no settings for fcm"),
        (json!({ "apns": { "token": "00" } }), "the channel has no settings for apns"),
        (json!({}), none),
        (json!("4bacd3"), none),
        (json!({ "sms": "+49" }), none),
        (json!({ "fcm": { "token": "t" }, "apns": { "token": "00" } }), none),
        (json!({ "fcm": {} }), none),
    ] {
        check(&mobile().send(&address), (OutcomeStatus::Rejected, None, expected));
    }
    let other = Mobile::new(&json!({ "apns": apns() }));
    let address = json!({ "web_push": { "endpoint": "https://a", "keys": { "p256dh": "", "auth": "" } } });
    check(&other.send(&address), (OutcomeStatus::Rejected, None, "the channel has no settings for web_push"));
}

#[test]
fn what_has_expired_is_not_sent() {
    let letter = Letter { ttl_s: -1, ..Letter::default() };
    let delivery = mobile().send_letter(&json!({ "fcm": { "token": "t" } }), &letter);
    check(&delivery, (OutcomeStatus::Rejected, None, "it has expired"));
}
