//! That the promises let an honest channel pass and find each that is broken.

#[expect(dead_code, reason = "nothing here loads a folder")]
mod folder;

use folder::built;
use podium_plugin_host::conformance::alone::{self, Job, Said};
use podium_plugin_host::conformance::channel::{Promise, Protocol, Trial, Verdict};
use std::collections::BTreeMap;

const CHANNEL: &str = "fixture_channel_lawless";

fn trial(breaks: &str, protocol: Protocol) -> Trial {
    let config = format!(
        r#"{{"host": "{{{{host}}}}", "port": {{{{port}}}}, "token": {{"secret": "TOKEN"}}, "breaks": "{breaks}"}}"#
    );
    Trial {
        config_json: config,
        secrets: BTreeMap::from([("TOKEN".into(), "hunter2".into())]),
        address_json: None,
        content_json: None,
        protocol,
    }
}

fn run(job: &Job) -> Said {
    alone::run(&built(CHANNEL), job)
}

fn examine(trial: Trial, promise: Promise) -> Verdict {
    match run(&Job::Promise { channel_id: CHANNEL.into(), trial, promise }) {
        Said::Verdict(verdict) => verdict,
        said => panic!("{said:?}"),
    }
}

#[track_caller]
fn check(breaks: &str, promise: Promise, expected: &str) {
    let found = examine(trial(breaks, Protocol::Http), promise);
    let Verdict::Broken(text) = &found else { panic!("{breaks}: {promise:?}: {found:?}") };
    assert!(text.starts_with(expected), "{breaks}: {promise:?}: {text}");
}

fn promises(protocol: Protocol) -> Vec<Promise> {
    let Said::Has { metrics, channels, .. } = run(&Job::List { protocol }) else {
        panic!("no list");
    };
    assert_eq!(metrics, [""; 0]);
    let [(id, promises)] = &channels[..] else { panic!("{channels:?}") };
    assert_eq!(id, CHANNEL);
    promises.clone()
}

/// In one test, because a leak is noticed by the size of the process; first, because memory that others gave back
/// would hide it.
#[test]
fn the_promises_tell_honest_from_lawless() {
    check("leaks", Promise::HonestConfig, "10000 instances made and ended leave ");
    check("connects_in_create", Promise::HonestConfig, "making an instance connects");
    an_honest_channel_keeps_every_promise();
    broken_rendering_and_webhooks_are_found();
    broken_deliveries_are_found();
    what_cannot_be_tried_is_not_called_kept();
}

fn an_honest_channel_keeps_every_promise() {
    assert_eq!(promises(Protocol::Http), Promise::ALL);
    for promise in Promise::ALL {
        assert_eq!(examine(trial("none", Protocol::Http), promise), Verdict::Kept, "{promise:?}");
    }
    for promise in promises(Protocol::Tcp) {
        assert_eq!(examine(trial("none", Protocol::Tcp), promise), Verdict::Kept, "{promise:?}");
    }
}

fn broken_rendering_and_webhooks_are_found() {
    check("impure", Promise::Pure, "first {");
    check("panics_in_render", Promise::Total, "\"null\": it panicked: no content");
    check("panics_in_ingest", Promise::Webhooks, "POST / with the body \"\": it panicked: no body");
}

fn broken_deliveries_are_found() {
    let silent = "it did not say what became of 1 messages";
    check("no_outcome", Promise::Answers, silent);
    check("no_outcome", Promise::Accepted, silent);
    check("two_outcomes", Promise::Accepted, "two outcomes of one message: Accepted, then Rejected");
    check("accepts_unsent", Promise::Accepted, "ACCEPTED, but nothing arrived");
    check("accepts_unsent", Promise::Breaks, "ACCEPTED, but nothing arrived");
    check("sends_before_begin", Promise::Accepted, "something left before `begin` allowed it");
    check("sends_after_refusal", Promise::TooLate, "something left before `begin` allowed it");
    check("ignores_refusals", Promise::Answers, "HTTP 400 Bad Request is Accepted, and means [Rejected]");
    check("ignores_rate_limit", Promise::RateLimit, "HTTP 429 is Deferred");
    check("loses_what_breaks", Promise::Breaks, "where nobody listens it is Rejected (it is down)");
    check("hangs", Promise::Deadline, "a provider that hangs: it is not back 2 s after the deadline");
    check("other_key", Promise::SameKey, "two attempts of one message share nothing");
    check("tells_secret", Promise::Secrets, "a secret stands in an outcome");
    check("logs_secret", Promise::Secrets, "a secret stands in a line of the log");
}

fn what_cannot_be_tried_is_not_called_kept() {
    let nameless = r#"{"host": "127.0.0.1", "port": 9, "token": {"secret": "TOKEN"}}"#;
    let without_place = Trial { config_json: nameless.into(), ..trial("none", Protocol::Http) };
    for promise in [Promise::Accepted, Promise::Breaks, Promise::Deadline, Promise::TooLate, Promise::Secrets]
    {
        let found = examine(without_place.clone(), promise);
        assert!(matches!(&found, Verdict::NotTried(text) if text.contains("{{endpoint}}")), "{found:?}");
    }
    let refused = Trial { config_json: "{}".into(), ..trial("none", Protocol::Http) };
    for promise in Promise::ALL {
        let found = examine(refused.clone(), promise);
        assert!(matches!(found, Verdict::NotTried(_)), "{promise:?}: {found:?}");
    }
    let found = examine(refused, Promise::Pure);
    assert!(matches!(&found, Verdict::NotTried(text) if text.contains("missing field `host`")), "{found:?}");
}
