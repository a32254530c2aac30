//! A decision on an experiment, as the log keeps it.

use super::choose::Hit;
use podium_core::experiment::Stickiness;
use podium_core::projection::{DECISION, Sighting, StoredEvent, Trust};
use podium_core::snapshot::{Assignment, Decision, Flag, Reason};
use podium_core::time::Timestamp;
use std::fmt::Write as _;
use uuid::Uuid;

/// A decision with all that is written down of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct OfExperiment<'a> {
    /// The experiment.
    pub(super) flag: &'a Flag,
    /// The flag as it was asked for.
    pub(super) flag_key: &'a str,
    /// What the log calls it.
    pub(super) id: Uuid,
    /// For whom it was drawn.
    pub(super) unit: &'a str,
    /// The id that asked, if it is another of theirs.
    pub(super) asked_as: Option<&'a str>,
    /// What was shown.
    pub(super) decision: Decision,
    /// What the unit is assigned, also where it is not shown.
    pub(super) assigned: Option<Assignment>,
    /// Whether the unit meets the condition.
    pub(super) is_met: bool,
    /// Whether the global holdout keeps it from every treatment.
    pub(super) is_out: bool,
    /// The rule that had the experiment decide.
    pub(super) hit: Option<Hit<'a>>,
}

impl OfExperiment<'_> {
    /// What is written down.
    pub(super) fn log_event(&self, (exposed, snapshot_version): (bool, u64), now: Timestamp) -> StoredEvent {
        let Self { flag, flag_key, id, unit, decision, .. } = *self;
        let reason = match decision.reason {
            Reason::Split => "SPLIT",
            Reason::Static => "STATIC",
            Reason::Unknown => "UNKNOWN",
            _ => "DISABLED",
        };
        let (experiment, variant_idx, asked_version) =
            (flag.experiment.0, decision.variant_idx, flag.version());
        let running = flag.is_running();
        let rest = self.rare();
        let body = format!(
            r#"{{"flag":"{flag_key}","experiment":{experiment},"variant":{variant_idx},"reason":"{reason}","running":{running},"version":{asked_version},"snapshot":{snapshot_version}{rest}}}"#
        );
        let sighting = self.assigned.map(|assignment| Sighting {
            experiment: flag.experiment,
            variant_idx: assignment.variant_idx,
            exposed,
            version: Some(assignment.version),
            propensity: Some(assignment.propensity),
        });
        // Where every decision is drawn anew the decision itself is the unit.
        let unit: Box<str> =
            if flag.stickiness == Stickiness::PerDecision { id.to_string().into() } else { unit.into() };
        as_logged((unit, id), sighting, body.into(), now)
    }

    /// Members that most decisions do not have.
    fn rare(&self) -> String {
        let mut rest = String::new();
        if let Some(Hit { experience, rule }) = self.hit {
            let _ = write!(rest, r#","experience":"{}","rules":["{}"]"#, experience.key, rule.key);
        }
        if !self.is_met {
            rest.push_str(r#","met":false"#);
        }
        if self.is_out {
            rest.push_str(r#","held_out":true"#);
        }
        if let Some(id) = self.asked_as.and_then(|id| serde_json::to_string(id).ok()) {
            rest.push_str(r#","asked_as":"#);
            rest.push_str(&id);
        }
        rest
    }
}

/// A decision as the log has it. Its time is in whole milliseconds, as the clocks of clients are: what a shopper does in
/// the same millisecond comes after it.
pub(super) fn as_logged(
    (unit, id): (Box<str>, Uuid),
    sighting: Option<Sighting>,
    body: Box<str>,
    now: Timestamp,
) -> StoredEvent {
    StoredEvent {
        message_id: id.to_string().into(),
        name: DECISION.into(),
        unit,
        is_known: false,
        other_id: None,
        order_id: None,
        trust: Trust::Server,
        time: now.floor_to_millis(),
        sighting,
        body,
    }
}
