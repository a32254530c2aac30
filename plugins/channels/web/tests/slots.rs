//! The channel as it was built, found and loaded the way the server does.
#![expect(clippy::unwrap_used, reason = "what a test builds its world with must not fail")]

use podium_plugin_host::{
    ChannelCall, ChannelCreateError, ChannelFault, ChannelInstance, Filled, HostLog, ProviderClass, Registry,
};
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

const CONFIG: &str = r#"{"redirect_hosts": ["sale.example", "Outlet.Example:8443"]}"#;

/// Loads the built library from a folder that has nothing else.
fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let name = format!("web-{}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::copy(test.parent().unwrap().join("libpodium_channel_web.so"), folder.join("web.so")).unwrap();
        let registry = Registry::load(std::slice::from_ref(&folder), &HostLog::discard());
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(registry.refusals(), []);
        registry
    })
}

fn web() -> Box<dyn ChannelInstance> {
    registry().create_channel("web", CONFIG).unwrap()
}

fn call() -> ChannelCall {
    ChannelCall { deadline_ms: i64::MAX, ..ChannelCall::default() }
}

/// Renders, and fills every placeholder with `value`.
fn shown(content: &serde_json::Value, value: &str) -> Result<Filled, ChannelFault> {
    Ok(web().render(&content.to_string(), &call())?.fill(|_| Some(value), |_, to| to.into()).unwrap())
}

#[track_caller]
fn check_html(html: &str, value: &str, expected: &str) {
    let filled = shown(&serde_json::json!({ "html": html }), value).unwrap();
    assert_eq!(filled.part("html"), Some(expected), "{html}");
}

#[track_caller]
fn check_refused(content: &serde_json::Value, expected: &str) {
    let fault = shown(content, "v").unwrap_err();
    assert_eq!(fault, ChannelFault::Content { text: expected.into() });
}

#[test]
fn the_page_asks() {
    let info = registry().find_channel("web").unwrap();
    assert_eq!((info.class, info.plugin_id.as_str()), (ProviderClass::Pull, "podium.web"));
}

#[test]
fn allowed_html_stays() {
    let html = r#"<section class="hero" aria-label="Sale"><h2>Sale</h2><img src="/a.png" alt="A"></section>"#;
    check_html(html, "", html);
    check_html(
        r#"<a href="https://other.example/x" target="_blank">x</a>"#,
        "",
        r#"<a href="https://other.example/x" target="_blank" rel="noopener">x</a>"#,
    );
}

#[test]
fn what_runs_code_is_taken_out() {
    for (html, expected) in [
        ("a<script>alert(1)</script>b", "ab"),
        ("a<style>*{}</style>b", "ab"),
        ("<button type=submit form=f>a</button>", r#"<button type="button">a</button>"#),
        (r#"<p onclick="alert(1)">a</p>"#, "<p>a</p>"),
        (
            r#"<p style="color:red;position:fixed;background:url(//x)" data-hx-on="y" id="z">a</p>"#,
            r#"<p style="color:red">a</p>"#,
        ),
        (r"<img src=x onerror=alert(1)>", r#"<img src="x">"#),
        (r#"<a href="javascript:alert(1)">a</a>"#, r#"<a rel="noopener">a</a>"#),
        (r#"<a href="JaVa&#10;Script:alert(1)">a</a>"#, r#"<a rel="noopener">a</a>"#),
        (r#"<img src="data:text/html,x">a"#, "<img>a"),
        (r"<svg><script>x</script></svg><p>a</p>", "<p>a</p>"),
        (r"<form action=/x><input name=a><p>b</p></form>", "<p>b</p>"),
        (r#"<iframe srcdoc="x"></iframe>a"#, "a"),
        ("a<!-- b -->c", "ac"),
        (r#"<blockquote cite="javascript:x">a</blockquote>"#, "<blockquote>a</blockquote>"),
    ] {
        check_html(html, "", expected);
    }
}

#[test]
fn values_cannot_leave_their_place() {
    let value = "\"><script>x</script>&";
    let text = "&quot;&gt;&lt;script&gt;x&lt;/script&gt;&amp;";
    check_html("<p>Hi {{ name }}</p>", value, &format!("<p>Hi {text}</p>"));
    check_html("<p title='{{ name }}'>a</p>", value, &format!("<p title=\"{text}\">a</p>"));
    check_html(
        r#"<a href="/s?q={{ q | all }}&amp;n=1">a</a>"#,
        "a&b=\"c\"",
        r#"<a href="/s?q=a%26b%3D%22c%22&amp;n=1" rel="noopener">a</a>"#,
    );
    check_html(
        r#"<img src="https://cdn.example/{{ id }}.png">"#,
        "../x",
        r#"<img src="https://cdn.example/..%2Fx.png">"#,
    );
    check_html(
        r#"<img srcset="/a.png, https://cdn.example/{{ id | b }}.png 2x"><video poster="/{{ id }}"></video>"#,
        "x, //evil.example/y",
        "<img srcset=\"/a.png, https://cdn.example/x%2C%20%2F%2Fevil.example%2Fy.png 2x\">\
         <video poster=\"/x%2C%20%2F%2Fevil.example%2Fy\"></video>",
    );
}

#[test]
fn a_placeholder_cannot_decide_where_a_link_leads() {
    // This one is no URL at all, and goes like any that leads to nowhere allowed.
    check_html(r#"<a href="https://{{ host }}/">a</a>"#, "evil.example", r#"<a rel="noopener">a</a>"#);
    for link in ["{{ url }}", "//{{ host }}/", "https://a.{{host}}/"] {
        let content = serde_json::json!({ "html": format!("<a href=\"{link}\">a</a>") });
        check_refused(
            &content,
            &format!(
                "/html: <a href={link:?}>: a placeholder may not decide where it leads; begin with /path or https://host/"
            ),
        );
    }
    for (element, attribute) in [
        ("video", r#"poster="{{ url }}""#),
        ("img", r#"srcset="{{ url }} 2x""#),
        ("source", r#"srcset="/a.png, {{ url }}""#),
        ("source", r#"srcset="/{{ name }}.png 2x, //{{ host }}/a.png""#),
    ] {
        check_refused(
            &serde_json::json!({ "html": format!("<{element} {attribute}>a") }),
            &format!(
                "/html: <{element} {attribute}>: a placeholder may not decide where it leads; begin with /path or https://host/"
            ),
        );
    }
}

#[test]
fn a_placeholder_cannot_stand_in_a_style() {
    for style in ["color:{{ color }}", "font-family:'{{ font }}'", r"color:\{{ color }}"] {
        let content = serde_json::json!({ "html": format!("<p style=\"{style}\">a</p>") });
        check_refused(
            &content,
            &format!(
                "/html: <p style={style:?}>: a placeholder may not stand in a style; choose between classes"
            ),
        );
    }
}

#[test]
fn content_errors_name_the_place() {
    check_refused(
        &serde_json::json!({ "html": "<script>x</script>" }),
        "/html: nothing of it is allowed; scripts, styles and forms are taken out",
    );
    check_refused(
        &serde_json::json!({ "htm": "x" }),
        "unknown variant `htm`, expected one of `html`, `json`, `redirect` at line 1 column 6",
    );
    check_refused(
        &serde_json::json!({ "html": 7 }),
        "invalid type: integer `7`, expected a string at line 1 column 9",
    );
    let fault = shown(&serde_json::json!({ "html": "<p>{{ first <b>name</b> }}</p>" }), "v").unwrap_err();
    assert!(fault.to_string().contains("html: \" first <b>name</b> \" is no placeholder"), "{fault}");
}

#[test]
fn json_is_filled_inside_its_strings() {
    let content = serde_json::json!({ "json": { "title": "Hi {{ name }}", "price": 1.5 } });
    let filled = shown(&content, "</script>\"").unwrap();
    assert_eq!(filled.part("json"), Some(r#"{"price":1.5,"title":"Hi \u003c/script\u003e\""}"#));
}

#[test]
fn redirects_lead_to_own_and_listed_hosts() {
    for location in [
        "/sale",
        "/sale/{{ id }}?x={{ y | z }}#top",
        "https://sale.example/a",
        "http://SALE.example/a?b={{ c }}",
        "https://outlet.example:8443/",
    ] {
        let filled = shown(&serde_json::json!({ "redirect": location }), "a/b").unwrap();
        assert!(filled.part("redirect").is_some(), "{location}");
    }
    let content = serde_json::json!({ "redirect": "/{{ x }}" });
    assert_eq!(shown(&content, "/evil.example").unwrap().part("redirect"), Some("/%2Fevil.example"));
}

#[test]
fn redirects_lead_nowhere_else() {
    let listed = "is not among the hosts that redirects may lead to: sale.example, outlet.example:8443";
    for (location, host) in [
        ("https://evil.example/", "evil.example"),
        ("//evil.example/", "evil.example"),
        ("/\\evil.example/", "evil.example"),
        ("\\\\evil.example", "evil.example"),
        ("https:evil.example", "own.invalid"),
        ("https://sale.example.evil.example/", "sale.example.evil.example"),
        ("https://sale.example{{ x }}/", "sale.exampleany-value"),
        ("/{{ x }}/evil.example/", "evil.example"),
        ("/{{ x }}\\evil.example/", "evil.example"),
        ("https://sale{{ x | .example }}/", "saleany-value"),
        ("https://{{ x }}sale.example/", "any-valuesale.example"),
        ("https://sale.example:8443/", "sale.example:8443"),
    ] {
        let text = format!("/redirect: {host:?} {listed}");
        if host == "own.invalid" {
            let text =
                format!("/redirect: {location:?} must begin with /, or with https:// and a listed host");
            check_refused(&serde_json::json!({ "redirect": location }), &text);
        } else {
            check_refused(&serde_json::json!({ "redirect": location }), &text);
        }
    }
    for (location, text) in [
        ("javascript:alert(1)", "\"javascript\" is no scheme of a page; http or https"),
        ("/\t/evil.example", "a location has no line breaks or other control characters"),
        ("/a\r\nSet-Cookie: b", "a location has no line breaks or other control characters"),
        ("https://a:b@sale.example/", "a location has no user name or password"),
        (
            "https://sale.example:{{ x }}/",
            "\"https://sale.example:{{ x }}/\" is no location: invalid port number",
        ),
        (
            "/{{ x | /evil.example }}",
            "the fallback \"/evil.example\" is no piece of a location: letters, digits, -._~%",
        ),
        ("sale", "\"sale\" must begin with /, or with https:// and a listed host"),
        ("{{ x }}", "\"{{ x }}\" must begin with /, or with https:// and a listed host"),
        (
            "https://own.invalid/",
            "\"https://own.invalid/\" must begin with /, or with https:// and a listed host",
        ),
    ] {
        check_refused(&serde_json::json!({ "redirect": location }), &format!("/redirect: {text}"));
    }
}

#[test]
fn what_is_no_host_cannot_be_listed() {
    for host in ["https://a.example", "a.example/b", "a b", "", "u@a.example", "a.example?b"] {
        let config = serde_json::json!({ "redirect_hosts": [host] }).to_string();
        let error = registry().create_channel("web", &config).map(|_| "an instance").unwrap_err();
        let text =
            format!("`redirect_hosts`: {host:?} is no host, such as sale.example or sale.example:8443");
        assert_eq!(error, ChannelCreateError::Config { text });
    }
}

/// HTML that somebody wrote with bad intent, or in a hurry.
fn careless_html() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "<p>",
        "</p>",
        "<a href=\"/x?q={{ x }}\">",
        "<a href='",
        "</a>",
        "<script>",
        "</script>",
        "<svg>",
        "<math>",
        "<style>",
        "<mtext>",
        "<table>",
        "<td>",
        "<img src=x onerror=alert(1) alt=\"",
        "\"",
        "'",
        ">",
        "<",
        "<!--",
        "-->",
        "{{ x }}",
        "{{ x | y }}",
        "{{ url:x }}",
        "<div title='{{ x }}' class=\"{{ x }}\">",
        "</div>",
        "<select>",
        "<noscript>",
        "<template>",
        "&lt;",
        "&quot;",
        "&#39;",
        "text",
        " ",
        "<b onclick=",
        "<title>",
        "<textarea>",
    ]);
    prop::collection::vec(piece, 1..14).prop_map(|pieces| pieces.concat())
}

fn value() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "<script>alert(1)</script>",
        "\"",
        "'",
        ">",
        "<img onerror=x>",
        "javascript:x",
        "/",
        "\\",
        "&",
        "a",
        "é",
        "-->",
        " onclick=x ",
        "</a>",
        "\n",
    ]);
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever was written, and whatever fills it: every tag that is shown is on the list, as it stands.
    #[test]
    fn what_is_shown_is_clean(html in careless_html(), value in value()) {
        if let Ok(filled) = shown(&serde_json::json!({ "html": html }), &value) {
            let shown = filled.part("html").unwrap();
            prop_assert_eq!(first_unclean(shown), None, "{} became {}", html, shown);
        }
    }
}

/// Finds a tag that is no plain, closed, listed tag with quoted, listed attributes. Knows nothing of how the
/// channel cleans.
fn first_unclean(html: &str) -> Option<&str> {
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let tag = &rest[at..];
        let Some(behind) = clean_tag(&tag[1..]) else { return Some(tag) };
        rest = behind;
    }
    None
}

/// Reads a tag after its `<` and returns what is behind it.
fn clean_tag(tag: &str) -> Option<&str> {
    let tag = tag.strip_prefix('/').unwrap_or(tag);
    let (name, mut rest) = tag.split_at(tag.find(|c: char| !c.is_ascii_alphanumeric())?);
    let listed = ["a", "b", "div", "img", "p", "table", "tbody", "td", "tr"];
    if !listed.contains(&name) {
        return None;
    }
    while let Some(attribute) = rest.strip_prefix(' ') {
        let (name, value) = attribute.split_once("=\"")?;
        let (value, behind) = value.split_once('"')?;
        let is_link = matches!(name, "href" | "src");
        if !is_link && !["alt", "class", "rel", "title"].contains(&name) {
            return None;
        }
        // None of the pieces makes a link that leads elsewhere than to a path.
        if is_link && value.trim_start().to_ascii_lowercase().starts_with("javascript") {
            return None;
        }
        rest = behind;
    }
    rest.strip_prefix('>')
}

#[test]
fn the_reader_of_tags_finds_what_is_not_clean() {
    assert_eq!(first_unclean(r#"a <p class="x > y"><img src="/a" alt="<"></p> b"#), None);
    for unclean in [
        "<script>",
        "<p onclick=\"x\">",
        "<p class=x>",
        "<p class=\"x\"y=\"z\">",
        "<p",
        "<!--",
        "<a href=\"javascript:x\">",
    ] {
        assert_eq!(first_unclean(unclean), Some(unclean));
    }
}
