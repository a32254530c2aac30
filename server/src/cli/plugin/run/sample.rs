//! Events of a file, and what they say of the experiment that they are from.

use super::super::super::CliError;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fs;
use std::path::Path;

const EXPERIMENT_VIEWED: &str = "Experiment Viewed";
/// What the experiment and its variants are called if the events do not say it.
const EXPERIMENT: &str = "sample";
const VARIANTS: [&str; 2] = ["control", "variant"];

/// The events of a file.
pub(super) struct Sample {
    lines: Vec<Line>,
    experiment: String,
    variants: Vec<String>,
    unassigned: Vec<Unit>,
}

/// One event.
pub(super) struct Line {
    /// Which line of the file, from 1.
    pub(super) number: usize,
    pub(super) json: String,
}

/// A shopper of whom nobody says what they saw.
pub(super) struct Unit {
    pub(super) id: String,
    /// The member that names the shopper.
    named_by: &'static str,
    /// When the first event of the file happened, as it says it.
    first_seen: Value,
}

impl Sample {
    /// Reads a file with one JSON object a line.
    pub(super) fn read(file: &Path) -> Result<Self, CliError> {
        let wrong = |text: String| CliError(format!("{}: {text}", file.display()));
        let text = fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        let mut sample = Self::parse(&text).map_err(wrong)?;
        if sample.variants.is_empty() {
            sample.variants = VARIANTS.map(str::to_owned).to_vec();
        } else {
            sample.unassigned.clear();
        }
        Ok(sample)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut sample = Self {
            lines: Vec::new(),
            experiment: EXPERIMENT.to_owned(),
            variants: Vec::new(),
            unassigned: Vec::new(),
        };
        let mut seen = HashSet::new();
        for (idx, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let number = idx + 1;
            let event: Value =
                serde_json::from_str(line).map_err(|error| format!("line {number} is no JSON: {error}"))?;
            if !event.is_object() {
                return Err(format!("line {number} is no JSON object"));
            }
            if event["event"] == EXPERIMENT_VIEWED {
                sample.see(&event["properties"]);
            }
            if let Some(unit) = Unit::of(&event).filter(|unit| seen.insert(unit.id.clone())) {
                sample.unassigned.push(unit);
            }
            sample.lines.push(Line { number, json: line.to_owned() });
        }
        if sample.lines.is_empty() { Err("there is no event in it".to_owned()) } else { Ok(sample) }
    }

    /// Learns which experiment there is, and which variants: the first one seen is the control, unless one is called
    /// so.
    fn see(&mut self, properties: &Value) {
        let named = |names: [&str; 2]| names.iter().find_map(|name| plain_text(&properties[*name]));
        let Some(experiment) = named(["experiment_id", "experiment_name"]) else { return };
        if self.variants.is_empty() {
            self.experiment.clone_from(&experiment);
        }
        let Some(variant) = named(["variation_id", "variation_name"]) else { return };
        if self.experiment == experiment && !self.variants.contains(&variant) {
            let at = if variant == VARIANTS[0] { 0 } else { self.variants.len() };
            self.variants.insert(at, variant);
        }
    }

    pub(super) fn lines(&self) -> &[Line] {
        &self.lines
    }

    pub(super) fn experiment(&self) -> &str {
        &self.experiment
    }

    pub(super) fn variants(&self) -> &[String] {
        &self.variants
    }

    /// The shoppers who still need a variant: all or none.
    pub(super) fn unassigned(&self) -> &[Unit] {
        &self.unassigned
    }
}

impl Unit {
    fn of(event: &Value) -> Option<Self> {
        ["userId", "anonymousId"].into_iter().find_map(|named_by| {
            let id = plain_text(&event[named_by])?;
            Some(Self { id, named_by, first_seen: event["timestamp"].clone() })
        })
    }

    /// Writes that the shopper saw a variant when first seen.
    pub(super) fn viewed(&self, experiment: &str, variant: &str) -> String {
        let mut event = json!({
            "event": EXPERIMENT_VIEWED,
            "properties": { "experiment_id": experiment, "variation_id": variant },
        });
        event[self.named_by] = self.id.as_str().into();
        if !self.first_seen.is_null() {
            event["timestamp"] = self.first_seen.clone();
        }
        event.to_string()
    }
}

/// A text that is not empty, or a number as text.
fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Sample;

    #[test]
    fn the_events_say_which_experiment_it_is() {
        let sample = Sample::parse(
            r#"{"event": "Experiment Viewed", "userId": "a", "properties": {"experiment_id": "banner", "variation_id": "new"}}

            {"event": "Experiment Viewed", "userId": 7, "properties": {"experiment_name": "banner", "variation_name": "control"}}
            {"event": "Experiment Viewed", "userId": "c", "properties": {"experiment_id": "other", "variation_id": "x"}}"#,
        )
        .unwrap();
        assert_eq!(
            (sample.experiment(), sample.variants()),
            ("banner", &["control".into(), "new".into()][..])
        );
        assert_eq!(sample.lines().iter().map(|line| line.number).collect::<Vec<_>>(), [1, 3, 4]);
    }

    #[test]
    fn shoppers_of_whom_nothing_is_said_are_each_listed_once() {
        let sample = Sample::parse(
            r#"{"event": "A", "anonymousId": "v", "timestamp": "2025-01-05T10:00:00Z"}
            {"event": "B", "userId": "", "anonymousId": "v", "timestamp": "2025-01-06T10:00:00Z"}
            {"event": "B", "userId": "u", "anonymousId": "v"}"#,
        )
        .unwrap();
        let viewed: Vec<String> =
            sample.unassigned().iter().map(|unit| unit.viewed("sample", "control")).collect();
        assert_eq!(viewed.len(), 2);
        assert!(viewed[0].contains(r#""anonymousId":"v""#) && viewed[0].contains("2025-01-05T10:00:00Z"));
        assert!(viewed[1].contains(r#""userId":"u""#) && !viewed[1].contains("timestamp"));
    }

    #[test]
    fn what_is_no_event_is_named_by_its_line() {
        let refused = |text: &str| Sample::parse(text).map(|_| "a sample").unwrap_err();
        assert!(refused("{}\n{").starts_with("line 2 is no JSON: "));
        assert_eq!(refused("[]"), "line 1 is no JSON object");
        assert_eq!(refused("\n"), "there is no event in it");
    }
}
