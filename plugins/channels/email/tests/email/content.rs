//! What is made of what a marketer writes.

use crate::built::{LONG, channel, filled, registry, within};
use podium_plugin_host::{ChannelFault, ProviderClass};
use proptest::prelude::*;
use serde_json::{Value, json};

const PIXEL: &str = r#"<img src="{{ podium.open_url }}" width="1" height="1" alt="">"#;

/// Renders with these settings, and reads the payload as JSON.
fn rendered(content: &Value, more: &Value) -> Value {
    let payload = channel(25, more).render(&content.to_string(), &within(LONG)).unwrap();
    serde_json::from_str(&payload.to_json()).unwrap()
}

fn part<'a>(payload: &'a Value, name: &str) -> &'a str {
    let mut parts = payload["parts"].as_array().unwrap().iter();
    parts.find(|part| part["name"] == name).unwrap()["text"].as_str().unwrap()
}

/// Checks HTML without tracking of opens.
#[track_caller]
fn check_html(html: &str, expected: &str, links: &[&str]) {
    let payload = rendered(&json!({ "subject": "s", "html": html }), &json!({ "track_opens": false }));
    assert_eq!(part(&payload, "html"), expected);
    let found: Vec<&str> =
        payload["links"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert_eq!(found, links);
}

#[track_caller]
fn check_text(html: &str, expected: &str) {
    let payload = rendered(&json!({ "subject": "s", "html": html }), &json!({}));
    assert_eq!(part(&payload, "text"), expected, "{html}");
}

#[track_caller]
fn check_refused(content: &Value, expected: &str) {
    let fault = channel(25, &json!({})).render(&content.to_string(), &within(LONG)).unwrap_err();
    assert_eq!(fault, ChannelFault::Content { text: expected.into() });
}

#[test]
fn mail_may_come_twice() {
    let info = registry().find_channel("email").unwrap();
    assert_eq!((info.class, info.plugin_id.as_str()), (ProviderClass::Blind, "podium.email"));
    assert_eq!((info.parallel_max, info.batch_max), (8, 1));
}

#[test]
fn links_are_taken_out_and_everything_else_stays() {
    check_html(
        "<!DOCTYPE html>\n<html><head><style>a { color: red }</style>\n<!--[if mso]><table><tr><td><![endif]-->\
         </head><BODY bgcolor=#fff><table   border=0><td style='x'><a  class=b HREF=\"https://shop.example/a?b=1&amp;c={{ x }}\" \
         target=_blank>Buy &nbsp;{{ x | now }}</a><a href='http://shop.example'>b</a><a href=https://shop.example/c>c</a><br/></BODY></html>",
        "<!DOCTYPE html>\n<html><head><style>a { color: red }</style>\n<!--[if mso]><table><tr><td><![endif]-->\
         </head><BODY bgcolor=#fff><table   border=0><td style='x'><a  class=b HREF=\"{{ podium.link.0 }}\" \
         target=_blank>Buy &nbsp;{{ x | now }}</a><a href='{{ podium.link.1 }}'>b</a><a href=\"{{ podium.link.2 }}\">c</a><br/></BODY></html>",
        &["https://shop.example/a?b=1&c={{ x }}", "http://shop.example", "https://shop.example/c"],
    );
}

#[test]
fn links_to_no_page_stay() {
    for html in [
        r#"<a href="mailto:a@b.example">a</a>"#,
        r##"<a href="#top">a</a>"##,
        r#"<a href="tel:+49">a</a>"#,
        r#"<a href="{{ podium.unsubscribe_url }}">leave</a>"#,
        r#"<a name="x">a</a>"#,
        r#"<img src="https://shop.example/a.png" alt="A">"#,
        r#"<p title="<a href='https://a.example/'>">a</p>"#,
        "<style>/* <a href='https://a.example/'> */</style>",
        "<!-- <a href=\"https://a.example/\"> -->",
    ] {
        check_html(html, html, &[]);
    }
}

#[test]
fn values_in_addresses_are_pieces_of_them() {
    check_html(
        r#"<a href="mailto:a@b.example?subject={{ x }}">a</a><img src="https://cdn.example/{{ id }}.png">"#,
        r#"<a href="mailto:a@b.example?subject={{url:x }}">a</a><img src="https://cdn.example/{{url:id }}.png">"#,
        &[],
    );
    check_html(
        r#"<img src="a.png" srcset="https://cdn.example/{{ id }}.png 2x, b.png">"#,
        r#"<img src="a.png" srcset="https://cdn.example/{{url:id }}.png 2x, b.png">"#,
        &[],
    );
    let content = json!({ "subject": "s", "html": r#"<a href="https://shop.example/?q={{ x }}">a</a>"# });
    let untracked = json!({ "track_clicks": false, "track_opens": false });
    let payload = rendered(&content, &untracked);
    assert_eq!(part(&payload, "html"), r#"<a href="https://shop.example/?q={{url:x }}">a</a>"#);
    assert_eq!(part(&payload, "text"), "a <https://shop.example/?q={{url:x }}>");
    assert_eq!(payload["links"], Value::Null);
}

#[test]
fn only_the_first_of_two_attributes_counts() {
    check_html(
        r#"<a href="https://a.example/" href="https://b.example/">a</a>"#,
        r#"<a href="{{ podium.link.0 }}" href="https://b.example/">a</a>"#,
        &["https://a.example/"],
    );
}

#[test]
fn opening_is_counted_at_the_end_of_the_body() {
    for (html, expected) in [
        ("<p>a</p>", format!("<p>a</p>{PIXEL}")),
        ("<body><p>a</p></body></html>\n", format!("<body><p>a</p>{PIXEL}</body></html>\n")),
        ("<html><p>a</html>", format!("<html><p>a{PIXEL}</html>")),
    ] {
        let payload = rendered(&json!({ "subject": "s", "html": html }), &json!({}));
        assert_eq!(part(&payload, "html"), expected);
    }
}

#[test]
fn a_preheader_comes_first_in_the_body() {
    let hidden =
        |text: &str| format!("<div style=\"display:none;max-height:0;overflow:hidden\">{text}</div>");
    for (html, before, behind) in [
        ("<p>a</p>", "", "<p>a</p>"),
        (
            "<html><head></head><body class=x><p>a</p></body>",
            "<html><head></head><body class=x>",
            "<p>a</p></body>",
        ),
        ("<head></head><p>a</p>", "<head></head>", "<p>a</p>"),
    ] {
        let content = json!({ "subject": "s", "html": html, "preheader": "{{ x | You & <me> }}" });
        let payload = rendered(&content, &json!({ "track_opens": false }));
        let expected = format!("{before}{}{behind}", hidden("{{ x | You &amp; &lt;me&gt; }}"));
        assert_eq!(part(&payload, "html"), expected);
    }
}

#[test]
fn html_alone_gets_a_text_that_says_the_same() {
    check_text(
        "<html><head><title>Sale</title><style>p { margin: 0 }</style></head><body>\n<h1>Hi {{ x | friend }}</h1>\
         <p>Two  for\n one:<br><b>caps</b>, <i>hats</i>.</p><ul><li>A &amp; B</li><li>C</li></ul>\
         <table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>\
         <p><a href=\"https://shop.example/\">Buy <b>now</b></a>!</p>\
         <a href=\"https://shop.example/\"><img src=\"https://shop.example/a.png\" alt=\"Our cap\"></a>\
         <p><a href=\"{{ podium.unsubscribe_url }}\">Leave</a> or <a href=\"mailto:a@b.example\">write</a></p></body></html>",
        "Hi {{ x | friend }}\n\nTwo for one:\ncaps, hats.\n\n- A & B\n- C\n\na b\nc\n\n\
         Buy now <{{ podium.link.0 }}>!\n\nOur cap <{{ podium.link.1 }}>\n\n\
         Leave <{{ podium.unsubscribe_url }}> or write",
    );
    let content = json!({ "subject": "s", "html": "<p>a</p>", "text": "mine" });
    assert_eq!(part(&rendered(&content, &json!({})), "text"), "mine");
}

#[test]
fn text_alone_is_enough() {
    let payload =
        rendered(&json!({ "subject": "Hi {{ x }}", "text": "a\nhttps://shop.example/" }), &json!({}));
    assert_eq!(
        payload["parts"],
        json!([
            { "name": "subject", "escaping": "header", "text": "Hi {{ x }}" },
            { "name": "text", "escaping": "plain", "text": "a\nhttps://shop.example/" },
        ])
    );
}

#[test]
fn content_errors_name_the_place() {
    check_refused(&json!({ "subject": " ", "text": "a" }), "/subject: a mail needs one");
    check_refused(&json!({ "subject": "a\u{0}b", "text": "a" }), "/subject: it is one line");
    check_refused(&json!({ "text": "a" }), "missing field `subject` at line 1 column 12");
    check_refused(&json!({ "subject": "s" }), "/html: a mail needs `html`, `text`, or both");
    check_refused(&json!({ "subject": "s", "html": " " }), "/html: a mail needs `html`, `text`, or both");
    check_refused(
        &json!({ "subject": "s", "text": "a", "preheader": "b" }),
        "/preheader: it stands in the html, and there is none",
    );
    check_refused(
        &json!({ "subject": "s", "htm": "a" }),
        "unknown field `htm`, expected one of `subject`, `preheader`, `text`, `html` at line 1 column 6",
    );
    let html = |html: &str| json!({ "subject": "s", "html": html });
    check_refused(
        &html("<p><SCRIPT>alert(1)</SCRIPT>"),
        "/html: <script>: no mailbox runs it, and many refuse a mail with one",
    );
    check_refused(
        &html(r#"<a href="{{ x }}">a</a>"#),
        "/html: <a href=\"{{ x }}\">: a placeholder may not decide where it leads; begin with https://host/",
    );
    check_refused(
        &html(r#"<img src="https://{{ x }}/a.png">"#),
        "/html: <img src=\"https://{{ x }}/a.png\">: a placeholder may not decide where it leads; begin with https://host/",
    );
    for (element, attribute) in [
        ("img", r#"srcset="https://shop.example/a.png, {{ x }} 2x""#),
        ("video", r#"poster="https://{{ x }}/a.png""#),
        ("form", r#"action="{{ x }}""#),
        ("button", r#"formaction="{{ x }}""#),
    ] {
        check_refused(
            &html(&format!("<{element} {attribute}>")),
            &format!(
                "/html: <{element} {attribute}>: a placeholder may not decide where it leads; begin with https://host/"
            ),
        );
    }
    check_refused(
        &html(r#"<a href="/cart">a</a>"#),
        "/html: <a href=\"/cart\">: a mail is on no page; begin with https://host/, mailto: or tel:",
    );
    check_refused(
        &html(r#"<a href="javascript:x">a</a>"#),
        "/html: <a href=\"javascript:x\">: no mail runs javascript:",
    );
    for (content, place) in [
        (json!({ "subject": "a\nb", "text": "a" }), "/subject: it is one line"),
        (json!({ "subject": "s", "text": "{{ a" }), "text: {{ without }}"),
        (html("<p>{{ podium.unsubscribe }}</p>"), "is none of the server's values"),
    ] {
        let fault = channel(25, &json!({})).render(&content.to_string(), &within(LONG)).unwrap_err();
        assert!(fault.to_string().contains(place), "{fault}");
    }
}

#[test]
fn no_value_becomes_markup() {
    let refused = |html: &str, why: &str| {
        check_refused(&json!({ "subject": "s", "html": html }), &format!("/html: {why}"));
    };
    let unquoted = |part: &str| format!("{part:?}: in a tag, a placeholder stands between quotes");
    refused("<p title={{x}}>a</p>", &unquoted("{{x}}"));
    refused("<p title={{ x }}>a</p>", &unquoted("{{"));
    refused("<p class=a class=b{{x}}>a</p>", &unquoted("b{{x}}"));
    refused("<a href=https://shop.example/{{x}}>a</a>", &unquoted("https://shop.example/{{x}}"));
    refused("<p {{ x }}>a</p>", &unquoted("{{"));
    refused("<p data-{{ x }}=a>a</p>", &unquoted("data-{{"));
    refused("<h{{ x }}>a</h1>", &unquoted("h{{"));
    refused("<b>only <{{ x }}</b>", "a value behind a < could become a tag; write &lt;");
    for html in ["<p title='{{ x }}' class=\"{{ x }}\">{{ x }}</p>", "<b>only &lt;{{ x }}</b>", "1 < {{ x }}"]
    {
        check_html(html, html, &[]);
    }
}

/// HTML that somebody wrote with bad intent, or in a hurry.
fn careless_html() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "<p>",
        "</p>",
        "<a href=\"https://a.example/?q={{ x }}\">",
        "<a href='https://a.example/'",
        "<a href=https://é.example>",
        "<a href='",
        "</a>",
        "<style>",
        "</style>",
        "<svg>",
        "<!--",
        "-->",
        "\"",
        "'",
        ">",
        "<",
        "é",
        "\r\n",
        "\r",
        "\n",
        "=",
        "<textarea>",
        "<title>",
        "</body>",
        "<body>",
        "</html>",
        "<head>",
        "{{ x }}",
        "&amp;",
        "text",
        " ",
        "/",
        "\0",
        "<![CDATA[",
        "]]>",
        "<img alt='b' src=\"https://a.example/{{ x }}\">",
        "<plaintext>",
    ]);
    prop::collection::vec(piece, 1..16).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Putting every link back where its address stands gives what was written.
    #[test]
    fn only_links_change(html in careless_html()) {
        let channel = channel(25, &json!({ "track_opens": false }));
        let content = json!({ "subject": "s", "html": html });
        let Ok(payload) = channel.render(&content.to_string(), &within(LONG)) else { return Ok(()) };
        let payload: Value = serde_json::from_str(&payload.to_json()).unwrap();
        let mut restored = part(&payload, "html").to_owned();
        for (link_idx, link) in payload["links"].as_array().into_iter().flatten().enumerate() {
            let address = format!("{{{{ podium.link.{link_idx} }}}}");
            let quoted = format!("\"{address}\"");
            prop_assert_eq!(restored.matches(&address).count(), 1);
            restored = restored.replace(&quoted, link.as_str().unwrap()).replace(&address, link.as_str().unwrap());
        }
        let plain = |html: &str| html.replace("\r\n", "\n").replace('\r', "\n").replace(['"', '\0'], "").replace("url:", "");
        prop_assert_eq!(plain(&restored.replace("{{url:x", "{{ x").replace("  ", " ")).replace(' ', ""), plain(&html).replace(' ', ""));
    }

    /// Whatever fills the placeholders: nothing of it is markup, and no link leads elsewhere.
    #[test]
    fn values_add_no_markup(value in "\\PC{0,12}|[<>\"'&/:\\\\ \r\n]{0,8}") {
        let channel = channel(25, &json!({}));
        let content = json!({ "subject": "s", "html": "<a href=\"https://a.example/{{ x }}\" title='{{ x }}'>{{ x }}</a>" });
        let shape = |text: &str| text.matches(['<', '>', '"', '\'']).collect::<String>();
        let (with, without) = (filled(&*channel, &content, &value), filled(&*channel, &content, "y"));
        prop_assert_eq!(shape(with.part("html").unwrap()), shape(without.part("html").unwrap()));
        let html = with.part("html").unwrap();
        prop_assert!(html.starts_with("<a href=\"https://podium.example/c/0?to=https://a.example/"), "{}", html);
    }
}

#[test]
fn a_payload_of_many_links_is_refused_by_number() {
    let html = "<a href=\"https://a.example/\">a</a>".repeat(257);
    let content = json!({ "subject": "s", "html": html }).to_string();
    let fault = channel(25, &json!({})).render(&content, &within(LONG)).unwrap_err();
    assert!(fault.to_string().contains("257 links, but there are at most 256"), "{fault}");
}
