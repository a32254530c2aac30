//! What a check found, as a line and as JSON.

use podium_plugin_host::conformance::Law;
use podium_plugin_host::conformance::channel::{Promise, Verdict};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// What was asked of a metric or a channel.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asks {
    Law(Law),
    Promise(Promise),
}

/// What one check found.
#[derive(Debug)]
pub(super) struct Finding {
    /// The metric or channel.
    id: String,
    asks: Asks,
    verdict: Verdict,
}

impl Finding {
    pub(super) fn new(id: &str, asks: Asks, verdict: Verdict) -> Self {
        Self { id: id.to_owned(), asks, verdict }
    }

    pub(super) fn is_kept(&self) -> bool {
        self.verdict == Verdict::Kept
    }

    pub(super) fn line(&self) -> String {
        let Self { id, asks, verdict } = self;
        let (mark, text) = match verdict {
            Verdict::Kept => ("ok  ", ""),
            Verdict::NotTried(text) => ("----", text.as_str()),
            Verdict::Broken(text) => ("FAIL", text.as_str()),
        };
        let asks = match asks {
            Asks::Law(law) => format!("law {}: {}", law.number(), law.as_str()),
            Asks::Promise(promise) => format!("{}: {}", promise.slug(), promise.as_str()),
        };
        let found = match verdict {
            Verdict::Kept => String::new(),
            Verdict::NotTried(_) => format!(": NOT TRIED: {text}"),
            Verdict::Broken(_) => format!(": {text}"),
        };
        format!("{mark} {id}: {asks}{found}")
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(5))?;
        match self.asks {
            Asks::Law(law) => {
                map.serialize_entry("metric", &self.id)?;
                map.serialize_entry("law", &law.number())?;
                map.serialize_entry("asks", law.as_str())?;
            }
            Asks::Promise(promise) => {
                map.serialize_entry("channel", &self.id)?;
                map.serialize_entry("promise", promise.slug())?;
                map.serialize_entry("asks", promise.as_str())?;
            }
        }
        let (fault, not_tried) = match &self.verdict {
            Verdict::Kept => (None, None),
            Verdict::NotTried(text) => (None, Some(text)),
            Verdict::Broken(text) => (Some(text), None),
        };
        map.serialize_entry("fault", &fault)?;
        map.serialize_entry("not_tried", &not_tried)?;
        map.end()
    }
}

/// Says in a line what was found in all.
pub(super) fn summary(n_metrics: usize, n_channels: usize, findings: &[Finding]) -> String {
    let n_broken = |is_law: bool| {
        let of_kind = findings.iter().filter(|finding| matches!(finding.asks, Asks::Law(_)) == is_law);
        of_kind.filter(|finding| matches!(finding.verdict, Verdict::Broken(_))).count()
    };
    let mut parts = Vec::new();
    if n_metrics > 0 {
        parts.push(format!(
            "{} checked, {} broken",
            count(n_metrics, "metric"),
            count(n_broken(true), "law")
        ));
    }
    if n_channels > 0 {
        let broken = count(n_broken(false), "promise");
        parts.push(format!("{} checked, {broken} broken", count(n_channels, "channel")));
    }
    let is_untried = |finding: &&Finding| matches!(finding.verdict, Verdict::NotTried(_));
    match findings.iter().filter(is_untried).count() {
        _ if parts.is_empty() => parts.push("it loads, and has neither a metric nor a channel".to_owned()),
        0 => {}
        n => parts.push(format!("{n} NOT TRIED")),
    }
    parts.join("; ")
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
