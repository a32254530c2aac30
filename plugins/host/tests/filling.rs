//! Placeholders: what is one, and that no value leaves the place it is put in.
#![expect(clippy::unwrap_used, reason = "what a test builds its world with must not fail")]

use podium_plugin_host::{Escaping, Payload};
use proptest::prelude::*;

fn parse(escaping: &str, text: &str) -> Result<Payload, String> {
    let parts = serde_json::json!({ "parts": [{ "name": "p", "escaping": escaping, "text": text }] });
    Payload::from_json(&parts.to_string()).map_err(|error| error.to_string())
}

/// Leaves every link as it is.
fn untracked(_link_idx: usize, target: &str) -> String {
    target.to_owned()
}

/// Fills `x` with a value.
fn fill(escaping: &str, text: &str, value: &str) -> Result<String, String> {
    let filled = parse(escaping, text)?.fill(|name| (name == "x").then_some(value), untracked);
    filled.map(|filled| filled.part("p").unwrap().to_owned()).map_err(|error| error.to_string())
}

#[track_caller]
fn check(escaping: &str, text: &str, value: &str, expected: &str) {
    assert_eq!(fill(escaping, text, value).as_deref(), Ok(expected), "{escaping} {text}");
}

#[track_caller]
fn check_refused(escaping: &str, text: &str, expected: &str) {
    assert_eq!(parse(escaping, text).unwrap_err(), expected);
}

#[test]
fn values_are_escaped_for_their_place() {
    let value = "a<b>&\"'/\u{2028}é";
    check("html", "<p>{{ x }}</p>", value, "<p>a&lt;b&gt;&amp;&quot;&#39;/\u{2028}é</p>");
    check("url", "/s?q={{x}}", value, "/s?q=a%3Cb%3E%26%22%27%2F%E2%80%A8%C3%A9");
    check("json", r#"{"a":"{{ x }}"}"#, value, "{\"a\":\"a\\u003cb\\u003e\\u0026\\\"'/\\u2028é\"}");
    check("header", "Hi {{ x }}", value, "Hi a<b>&\"'/\u{2028}é");
    check("plain", "Hi {{ x }}", "a\nb", "Hi a\nb");
    check("html", r#"<a href="/s?q={{ url:x }}">{{ x }}</a>"#, "a&b", r#"<a href="/s?q=a%26b">a&amp;b</a>"#);
}

#[test]
fn fallbacks_stand_for_what_is_missing_or_empty() {
    check("plain", "Hi {{ x | friend }}, {{ y | you there }}!", "Ann", "Hi Ann, you there!");
    check("plain", "Hi {{ x | friend }}{{ y }}", "", "Hi friend");
    check("html", "{{ y | A &amp; B }}", "", "A &amp; B");
    check("json", r#"["{{ y | \"q\" \\ }}"]"#, "", r#"["\"q\" \\"]"#);
    check("plain", "a } b { c }} d", "", "a } b { c }} d");
    assert_eq!(parse("plain", "{{ b }}{{ a.c }}{{b|x}}").unwrap().placeholders(), ["b", "a.c"]);
}

#[test]
fn what_is_no_placeholder_is_refused_with_its_part() {
    check_refused("plain", "Hi {{ x", "p: {{ without }}: \"{{ x\"");
    let rule = "is no placeholder: {{ name }} or {{ name | fallback }}";
    check_refused("plain", "{{}}", &format!("p: \"\" {rule}"));
    check_refused("plain", "{{ a b | c }}", &format!("p: \" a b | c \" {rule}"));
    check_refused("plain", "{{ a | {{ b }} }}", "p: the fallback of a has a placeholder in it");
    let markup = "p: the fallback of a has markup in it: no <, > or \" may stand there";
    check_refused("html", "<i title=\"{{ a | \" b=\"}}\">", markup);
    check_refused("html", "{{ a | <b> }}", markup);
    check_refused("header", "a\r\nBcc: b", "p: a header is one line, without a zero byte");
    check_refused("url", "/a\tb", "p: a URL has no control characters");
    check_refused("json", r#"{"{{ x }}": 1}"#, "p: a placeholder in the name of a member");
    let beyond = "p: the placeholder x reaches beyond its string";
    check_refused("json", r#"{"a": "{{ x | ", "b": {"c": {}}}"#, beyond);
    check_refused("json", r#"["{{ x | ", "}}"]"#, beyond);
    check_refused("json", r#"{"a": {{ x }}}"#, "p: key must be a string at line 1 column 8");
}

#[test]
fn a_payload_is_written_as_it_was_read() {
    let json = r#"{"parts":[{"escaping":"url","name":"to","text":"/{{ x | a }}"},{"escaping":"json","name":"b","text":"1.10"}]}"#;
    let payload = Payload::from_json(json).unwrap();
    let again = payload.to_json();
    assert_eq!(Payload::from_json(&again).unwrap(), payload);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&again).unwrap(),
        serde_json::from_str::<serde_json::Value>(json).unwrap()
    );
    let filled = payload.fill(|_| Some("ü"), untracked).unwrap();
    assert_eq!((filled.part("to"), filled.part("b"), filled.size()), (Some("/%C3%BC"), Some("1.10"), 11));
}

#[test]
fn a_link_is_filled_first_and_its_tracked_address_stands_in_its_place() {
    let json = serde_json::json!({
        "parts": [
            { "name": "html", "escaping": "html", "text": "<a href=\"{{ podium.link.1 }}\">{{ x }}</a>" },
            { "name": "text", "escaping": "plain", "text": "{{ podium.link.0 }} {{podium.link.1}}" },
        ],
        "links": ["https://shop.example", "https://shop.example/s?q={{ x }}&n={{ y | 1 }}#{{ z }}"],
    });
    let payload = Payload::from_json(&json.to_string()).unwrap();
    assert_eq!(payload.placeholders(), ["x", "y", "z"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&payload.to_json()).unwrap(), json);
    let value = |name: &str| (name == "x").then_some("a&b/\r\nc");
    let tracked = |link_idx, target: &str| format!("https://p.example/c/{link_idx}?to={target}&\"");
    let filled = payload.fill(value, tracked).unwrap();
    let to = "https://shop.example/s?q=a%26b%2F%0D%0Ac&amp;n=1#";
    assert_eq!(
        filled.part("html"),
        Some(format!("<a href=\"https://p.example/c/1?to={to}&amp;&quot;\">a&amp;b/\r\nc</a>").as_str())
    );
    let to = "https://shop.example/s?q=a%26b%2F%0D%0Ac&n=1#";
    assert_eq!(
        filled.part("text"),
        Some(
            format!("https://p.example/c/0?to=https://shop.example&\" https://p.example/c/1?to={to}&\"")
                .as_str()
        )
    );
}

#[test]
fn a_tracked_address_cannot_break_a_header() {
    let json = serde_json::json!({
        "parts": [{ "name": "h", "escaping": "header", "text": "{{ podium.link.0 }}" }],
        "links": ["https://shop.example/"],
    });
    let payload = Payload::from_json(&json.to_string()).unwrap();
    let refused = payload.fill(|_| None, |_, target| format!("{target}\nBcc: b")).unwrap_err();
    assert_eq!(refused.to_string(), "part h: the value of podium.link.0 has a line break or a zero byte");
}

#[test]
fn no_value_decides_where_a_link_leads() {
    for link in [
        "{{ x }}",
        "/cart",
        "ftp://shop.example/",
        "javascript:alert(1)",
        "https://",
        "https:///{{ x }}",
        "https://{{ x }}/",
        "https://shop{{ x }}/",
        "https://shop.example{{ x }}",
        "https://shop.example:{{ x }}/",
    ] {
        let json = serde_json::json!({
            "parts": [{ "name": "p", "escaping": "plain", "text": "" }],
            "links": ["https://shop.example/{{ x }}", link],
        });
        let refused = Payload::from_json(&json.to_string()).unwrap_err().to_string();
        assert_eq!(refused, format!("links[1]: {link:?} must begin with https://host/"));
    }
}

#[test]
fn names_of_the_server_are_its_own() {
    check_refused("html", "{{ podium.link.0 }}", "p: podium.link.0 is none of the 0 links");
    check_refused("html", "{{ podium.link.x }}", "p: podium.link.x is none of the 0 links");
    let known = "is none of the server's values: podium.open_url, podium.unsubscribe_url";
    check_refused("html", "{{ podium.unsubscribe }}", &format!("p: podium.unsubscribe {known}"));
    assert_eq!(
        parse("html", "{{ podium.open_url }}{{ url:podium.unsubscribe_url }}").unwrap().placeholders(),
        ["podium.open_url", "podium.unsubscribe_url"]
    );
    let json = serde_json::json!({
        "parts": [{ "name": "p", "escaping": "plain", "text": "" }],
        "links": ["https://shop.example/{{ podium.link.0 }}"],
    });
    let refused = Payload::from_json(&json.to_string()).unwrap_err().to_string();
    assert_eq!(refused, "links[0]: podium.link.0 is none of the 0 links");
    let links = vec!["https://shop.example/"; 257];
    let json =
        serde_json::json!({ "parts": [{ "name": "p", "escaping": "plain", "text": "" }], "links": links });
    let refused = Payload::from_json(&json.to_string()).unwrap_err().to_string();
    assert_eq!(refused, "payload: 257 links, but there are at most 256");
}

#[test]
fn parts_have_different_names() {
    let part = |name: &str| serde_json::json!({ "name": name, "escaping": "plain", "text": "" });
    let refused = |parts: &[serde_json::Value]| {
        Payload::from_json(&serde_json::json!({ "parts": parts }).to_string()).unwrap_err().to_string()
    };
    assert_eq!(refused(&[part("a"), part("a")]), "a: there is another part of this name");
    assert_eq!(refused(&[part("a b")]), "payload: \"a b\" is no name of a part");
    assert_eq!(refused(&[]), "payload: 0 parts, but there are 1 to 64");
}

/// Texts with everything in them that means something somewhere.
fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        prop::sample::select(vec![
            "<",
            ">",
            "\"",
            "'",
            "&",
            "\\",
            "\r\n",
            "\n",
            "\0",
            "</script>",
            "{{ x }}",
            "}}",
            "%0a",
            "\u{2028}",
            "javascript:",
            "<!--",
            "]]>",
            "\\u0022",
        ])
        .prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Pieces of placeholders, which may close in another text than the one they open in.
fn torn() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec!["{{ x |", "{{ x }}", "}}", "a", " ", "\\", "\""]);
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_value_adds_markup_to_html(value in nasty()) {
        let filled = fill("html", "{{ x }}|{{ x }}", &value).unwrap();
        prop_assert!(!filled.contains(['<', '>', '"', '\'']), "{filled}");
        // Every ampersand begins one of our references, so reading them back gives the value.
        let read = filled.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
        let read = read.replace("&#39;", "'").replace("&amp;", "&");
        prop_assert_eq!(read, format!("{value}|{value}"));
    }

    #[test]
    fn no_value_breaks_a_header(value in nasty()) {
        match fill("header", "Hi {{ x | you }}", &value) {
            Ok(filled) => {
                prop_assert!(!filled.contains(['\r', '\n', '\0']), "{filled:?}");
                let name = if value.is_empty() { "you" } else { &value };
                prop_assert_eq!(filled, format!("Hi {name}"));
            }
            Err(error) => {
                prop_assert!(value.contains(['\r', '\n', '\0']));
                prop_assert_eq!(error, "part p: the value of x has a line break or a zero byte");
            }
        }
    }

    #[test]
    fn a_filled_document_is_json_with_the_value_in_it(value in nasty(), around in nasty()) {
        let around = around.replace("{{", "");
        let template = serde_json::json!({ "a": [format!("{around} {{{{ x }}}} ")], "b": 1.5 }).to_string();
        let filled = fill("json", &template, &value).unwrap();
        let read: serde_json::Value = serde_json::from_str(&filled).unwrap();
        let expected = format!("{around} {value} ");
        prop_assert_eq!(read, serde_json::json!({ "a": [expected], "b": 1.5 }));
        let mut escaped = String::new();
        prop_assert!(Escaping::Json.append(&mut escaped, &value));
        prop_assert!(!escaped.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{escaped}");
    }

    #[test]
    fn whatever_the_document_and_the_value_the_result_is_json(
        texts in prop::collection::vec(torn(), 1..5), raw in torn(), value in nasty(),
    ) {
        let members: Vec<_> = texts.iter().map(|text| serde_json::json!({ "a": text, "b": {} })).collect();
        for template in [serde_json::json!(members).to_string(), format!("[\"{raw}\", {{\"b\": {{}}}}]")] {
            for value in [value.as_str(), ""] {
                let Ok(filled) = fill("json", &template, value) else { continue };
                let read = serde_json::from_str::<serde_json::Value>(&filled);
                prop_assert!(read.is_ok(), "{template} became {filled}");
            }
        }
    }

    #[test]
    fn a_value_in_a_url_is_one_piece(value in nasty()) {
        let filled = fill("url", "{{ x }}", &value).unwrap();
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._~%".contains(c);
        prop_assert!(filled.chars().all(is_allowed), "{filled}");
    }

    #[test]
    fn no_text_makes_parsing_or_filling_panic(template in nasty(), value in nasty()) {
        for escaping in ["html", "url", "json", "header", "plain"] {
            drop(fill(escaping, &template, &value));
        }
    }
}
