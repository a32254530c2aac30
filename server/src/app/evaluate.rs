//! One flag, or every flag, for one unit of which the client says what it knows.

use super::App;
use super::decide::{DECISIONS, log_event, sticky_key};
use super::sticky::{self, Claims};
use crate::auth::Scope;
use crate::catalog::Catalog;
use podium_core::experiment::{ExposureSource, Stickiness};
use podium_core::projection::StoredEvent;
use podium_core::snapshot::{Decision, Flag, FlagVariant};
use podium_core::time::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

/// For whom a flag is asked, and by whom.
#[derive(Clone, Debug)]
pub(crate) struct Asker<'a> {
    unit: &'a str,
    scope: Scope,
    claims: Claims,
    now: Timestamp,
}

/// What the unit gets for a flag.
#[derive(Clone, Debug)]
pub(crate) struct Evaluation<'a> {
    /// The flag as it was asked for.
    pub(crate) flag_key: &'a str,
    /// The flag.
    pub(crate) flag: &'a Flag,
    /// What was decided.
    pub(crate) decision: Decision,
    /// What the log calls it.
    pub(crate) id: Uuid,
    /// Proves the assignment, where it is kept.
    pub(crate) sticky: Option<String>,
    /// Whether it was decided, but the log could not be told.
    pub(crate) is_degraded: bool,
}

impl<'a> Asker<'a> {
    /// Gathers what decisions depend on.
    ///
    /// - `context`: what the client knows of the unit.
    pub(crate) fn new(unit: &'a str, context: &Map<String, Value>, scope: Scope, now: Timestamp) -> Self {
        Self { unit, scope, claims: Claims::of(context), now }
    }

    fn may_see(&self, flag: &Flag) -> bool {
        !flag.server_only || Scope::Server <= self.scope
    }
}

impl Evaluation<'_> {
    /// The variant that was decided for.
    pub(crate) fn variant(&self) -> Option<&FlagVariant> {
        self.flag.variants.get(self.decision.variant_idx)
    }
}

impl App {
    /// Decides one flag and hands the decision to the log; `None` if there is no such flag for who asks.
    ///
    /// - `exposure`: whether the answer is an exposure, where the experiment counts decisions as such.
    pub(crate) fn evaluate_one<'a>(
        &self,
        catalog: &'a Catalog,
        flag_key: &'a str,
        asker: &Asker<'_>,
        exposure: bool,
    ) -> Option<Evaluation<'a>> {
        let flag = catalog.snapshot.flag(flag_key).filter(|flag| asker.may_see(flag))?;
        let mut evaluation = self.evaluate(flag_key, flag, asker);
        let exposed = exposure && flag.exposure == ExposureSource::Decision;
        let event = evaluation.event(asker, (exposed, catalog.snapshot.version));
        evaluation.is_degraded = !self.log(vec![event]);
        Some(evaluation)
    }

    /// Decides every flag that who asks may see, in the order of their keys. None of it is an exposure, and the log is
    /// told only of assignments that are new for the unit: pages ask for everything again and again.
    pub(crate) fn evaluate_all<'a>(&self, catalog: &'a Catalog, asker: &Asker<'_>) -> Vec<Evaluation<'a>> {
        let mut flags: Vec<_> = catalog.snapshot.flags().filter(|(_, flag)| asker.may_see(flag)).collect();
        flags.sort_unstable_by_key(|(key, _)| *key);
        let mut evaluations = Vec::with_capacity(flags.len());
        let (mut events, mut noted) = (Vec::new(), Vec::new());
        for (flag_key, flag) in flags {
            if flag.stickiness == Stickiness::PerDecision {
                // What is drawn anew at every decision cannot be fetched beforehand.
                evaluations.push(Evaluation::new(flag_key, flag, flag.outside(), Uuid::now_v7()));
                continue;
            }
            let key = sticky_key(flag.experiment, asker.unit);
            let known = self.sticky.pin().get(&key).copied();
            let evaluation = self.evaluate(flag_key, flag, asker);
            if let Some(assignment) = evaluation.decision.assignment.filter(|new| Some(*new) != known) {
                self.sticky.pin().insert(key, assignment);
                events.push(evaluation.event(asker, (false, catalog.snapshot.version)));
                noted.push(key);
            }
            evaluations.push(evaluation);
        }
        if !self.log(events) {
            // The next time they are new once more.
            let sticky = self.sticky.pin();
            for key in noted {
                sticky.remove(&key);
            }
        }
        evaluations
    }

    /// Decides one flag for one unit.
    fn evaluate<'a>(&self, flag_key: &'a str, flag: &'a Flag, asker: &Asker<'_>) -> Evaluation<'a> {
        let (id, secret) = (Uuid::now_v7(), &self.links.secret);
        let claimed = || asker.claims.assignment(secret, asker.unit, flag.experiment);
        let decision = self.decide_one(flag, asker.unit, id, claimed);
        DECISIONS.increment(1);
        let kept = decision.assignment.filter(|_| flag.remembers());
        let sticky = kept.map(|assignment| sticky::token(secret, asker.unit, flag.experiment, assignment));
        Evaluation { sticky, ..Evaluation::new(flag_key, flag, decision, id) }
    }

    /// Hands decisions to the log; whether it took them.
    fn log(&self, events: Vec<StoredEvent>) -> bool {
        let n_events = events.len() as u64;
        let is_logged = events.is_empty() || self.queue.decisions(events).is_ok();
        if !is_logged {
            metrics::counter!("podium_decisions_unlogged_total").increment(n_events);
        }
        is_logged
    }
}

impl<'a> Evaluation<'a> {
    fn new(flag_key: &'a str, flag: &'a Flag, decision: Decision, id: Uuid) -> Self {
        Self { flag_key, flag, decision, id, sticky: None, is_degraded: false }
    }

    fn event(&self, asker: &Asker<'_>, exposed: (bool, u64)) -> StoredEvent {
        let named = (self.flag_key, asker.unit, self.id);
        log_event(self.flag, named, &self.decision, exposed, asker.now)
    }
}
