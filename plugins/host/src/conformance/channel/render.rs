//! What a channel makes of content, expected or not.

use super::{ChannelSubject, Checked, Double, Failed, broken, call};
use crate::channel_instance::{ChannelFault, ChannelInstance};
use crate::payload::Payload;
use serde_json::{Value, json};
use std::thread;
use std::time::Duration;

const N_INSTANCES: usize = 3;
const N_THREADS: usize = 4;
/// What `render` may take.
const RENDER_MAX: Duration = Duration::from_secs(5);
const HUGE: usize = 1024 * 1024;
/// More members than anybody looks at.
const N_WIDE: usize = 10_000;

/// No JSON at all, or none that content is expected to be.
const ODD: [&str; 14] = [
    "",
    "{",
    "\u{0}",
    "null",
    "true",
    "7",
    "-1e999",
    "\"\"",
    "\"text\"",
    "[]",
    "{}",
    r#"{"no_such_field": 1}"#,
    r#"{"": {"": [[], {}]}}"#,
    r#""\ud800""#,
];
/// Texts that mean something somewhere.
const TEXTS: [&str; 12] = [
    "",
    "{{",
    "{{ name",
    "{{}}",
    "{{ a | {{ b }} }}",
    "}} {{ url:a }}",
    "\0",
    "line\r\nBcc: other@example.com",
    "<script>alert(1)</script><svg onload=x>",
    "javascript:alert(1)",
    "http://[",
    "\u{202e}🛒\u{10ffff}",
];

impl ChannelSubject<'_> {
    pub(super) fn pure(&self) -> Checked {
        let address = Double::nobody()?;
        let first = self.create(address)?;
        let content_json = self.content();
        let expected = self.sample(&*first, content_json)?;
        let again = |channel: &dyn ChannelInstance| match channel.render(content_json, &call(RENDER_MAX)) {
            Ok(found) if found == expected => Ok(()),
            Ok(found) => Err(format!("first {}, then {}", expected.to_json(), found.to_json())),
            Err(fault) => Err(format!("it could be rendered once, but not again: {fault}")),
        };
        again(&*first).map_err(Failed::Broken)?;
        for _ in 0..N_INSTANCES {
            let other = self.create(address)?;
            again(&*other).map_err(|text| Failed::Broken(format!("in another instance: {text}")))?;
        }
        let answers = thread::scope(|scope| {
            let threads: Vec<_> = (0..N_THREADS).map(|_| scope.spawn(|| again(&*first))).collect();
            let answer = |thread: thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|_| Err("a thread panicked".to_owned()))
            };
            threads.into_iter().map(answer).collect::<Result<Vec<()>, String>>()
        });
        answers.map_err(|text| Failed::Broken(format!("with {N_THREADS} threads at a time: {text}")))?;
        Ok(())
    }

    pub(super) fn total(&self) -> Checked {
        let channel = self.create(Double::nobody()?)?;
        for content_json in ODD.iter().map(|&odd| odd.to_owned()).chain(large()).chain(self.altered()) {
            is_answered(&*channel, &content_json)?;
        }
        Ok(())
    }

    /// What a variant shows, if nobody says it.
    pub(super) fn content(&self) -> &str {
        self.trial.content_json.as_deref().unwrap_or("{}")
    }

    /// Renders content that the channel should take.
    pub(super) fn sample(
        &self,
        channel: &dyn ChannelInstance,
        content_json: &str,
    ) -> Result<Payload, Failed> {
        let refused = |fault: ChannelFault| match fault {
            ChannelFault::Content { .. } if self.trial.content_json.is_none() => Failed::NotTried(format!(
                "it does not take the content {content_json}: {fault}; give other by --content"
            )),
            fault => Failed::Broken(format!("the content {}: {fault}", shown(content_json))),
        };
        channel.render(content_json, &call(RENDER_MAX)).map_err(refused)
    }

    /// The sample with every member gone, of another type, or an odd text.
    fn altered(&self) -> Vec<String> {
        let Ok(Value::Object(sample)) = serde_json::from_str(self.content()) else { return Vec::new() };
        let others = [
            json!(null),
            json!(7),
            json!(-0.5),
            json!(true),
            json!([]),
            json!([[1]]),
            json!({}),
            json!({"a": 1}),
        ];
        let texts = TEXTS.iter().map(|&text| Value::from(text)).chain([Value::from("x".repeat(HUGE))]);
        let others: Vec<Value> = others.into_iter().chain(texts).collect();
        let mut altered = Vec::new();
        for name in sample.keys() {
            let mut without = sample.clone();
            without.remove(name);
            altered.push(Value::Object(without).to_string());
            for other in &others {
                let mut with_other = sample.clone();
                with_other.insert(name.clone(), other.clone());
                altered.push(Value::Object(with_other).to_string());
            }
        }
        altered
    }
}

/// Content that is too deep, too long or too wide.
fn large() -> Vec<String> {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let wide: serde_json::Map<String, Value> =
        (0..N_WIDE).map(|number| (format!("field_{number}"), Value::from(number))).collect();
    vec![
        format!(r#"{{"a": {}}}"#, nested(100)),
        nested(100_000),
        format!("{}1{}", r#"{"a":"#.repeat(20_000), "}".repeat(20_000)),
        format!(r#"{{"text": "{}"}}"#, "x".repeat(HUGE)),
        Value::Object(wide).to_string(),
    ]
}

/// Only content with `{{` in it may make a payload that the host refuses: the host says the place.
fn is_answered(channel: &dyn ChannelInstance, content_json: &str) -> Checked {
    let what = shown(content_json);
    match channel.render(content_json, &call(RENDER_MAX)) {
        Ok(_) => Ok(()),
        Err(ChannelFault::Content { text }) if !text.trim().is_empty() => Ok(()),
        Err(ChannelFault::Content { .. }) => broken(format!("{what} is refused without a text")),
        Err(ChannelFault::BadPayload(_)) if content_json.contains("{{") => Ok(()),
        Err(fault) => broken(format!("{what}: {fault}")),
    }
}

fn shown(content_json: &str) -> String {
    let end = content_json.floor_char_boundary(60);
    let rest = if end < content_json.len() { "…" } else { "" };
    format!("{:?}{rest}", &content_json[..end])
}
