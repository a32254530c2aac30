//! What a unit gets for a flag, whoever asks and by whatever protocol.

use super::App;
use super::asker::{Asker, Asking};
use super::choose::{Behind, Chosen, FromExperience, Hit, Owned};
use super::logged::OfExperiment;
use super::sticky;
use metrics::Counter;
use podium_core::experience::Visitor;
use podium_core::experiment::Stickiness;
use podium_core::projection::StoredEvent;
use podium_core::snapshot::{Assignment, Decision, Flag, Reason};
use podium_core::time::Timestamp;
use std::sync::{Arc, LazyLock};
use uuid::Uuid;

/// Found once: to look a counter up by its name takes longer than to decide.
static DECISIONS: LazyLock<Counter> = LazyLock::new(|| metrics::counter!("podium_decisions_total"));

/// What a unit gets for a flag.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    /// The flag as it was asked for.
    pub(crate) flag_key: &'a str,
    /// The unit as it was asked for.
    pub(crate) unit: &'a str,
    /// What the log calls it.
    pub(crate) id: Uuid,
    /// Whose it is.
    pub(crate) from: From<'a>,
    /// Where the unit stands in the global holdout, if one runs.
    pub(super) held: Option<Held<'a>>,
    /// Whether a link wants it, whatever the unit would get: it counts nowhere.
    pub(crate) is_forced: bool,
}

/// Where a unit stands in the global holdout.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    pub(super) flag: &'a Flag,
    decision: Decision,
    drawn: Drawn<'a>,
    /// Whether nothing was known of it.
    is_new: bool,
}

impl Held<'_> {
    /// Whether it gets no treatment of anything.
    pub(super) fn is_out(&self) -> bool {
        self.decision
            .assignment
            .is_some_and(|assignment| usize::from(assignment.variant_idx) == self.flag.control_idx)
    }
}

/// Whose an answer is.
#[derive(Debug)]
pub(crate) enum From<'a> {
    /// An experiment.
    Experiment {
        /// Its flag.
        flag: &'a Flag,
        /// What is shown.
        decision: Decision,
        /// What the unit is assigned, also where it is not shown.
        assigned: Option<Assignment>,
        /// For whom it was drawn.
        drawn: Drawn<'a>,
        /// Whether the unit meets the condition; `None` if that hung on what another system says and could not be had.
        is_met: Option<bool>,
        /// Whether it is another assignment than was known.
        is_new: bool,
        /// The rule that has the experiment decide; none if the flag is its own.
        hit: Option<Hit<'a>>,
    },
    /// An experience.
    Experience(FromExperience<'a>),
}

/// For whom a decision was drawn.
#[derive(Debug)]
pub(crate) enum Drawn<'u> {
    /// The unit that was asked for.
    Unit(&'u str),
    /// The person that the unit is another id of.
    Person(Arc<str>),
}

impl<'a> From<'a> {
    /// An experiment's variant that nobody is assigned.
    fn unassigned(flag: &'a Flag, decision: Decision, unit: &'a str) -> Self {
        let (assigned, drawn, is_met, is_new) = (None, Drawn::Unit(unit), Some(true), false);
        Self::Experiment { flag, decision, assigned, drawn, is_met, is_new, hit: None }
    }
}

impl Drawn<'_> {
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Unit(unit) => unit,
            Self::Person(person) => person,
        }
    }
}

impl App {
    /// Decides one flag; `None` if there is no such flag for who asks. It changes nothing: what is decided counts once it
    /// is settled.
    pub(crate) fn answer<'a>(
        &self,
        behind: &Behind<'a>,
        flag_key: &'a str,
        asker: &Asker<'a>,
        now: Timestamp,
    ) -> Option<Answer<'a>> {
        let (id, unit) = (Uuid::now_v7(), asker.unit);
        let mut asking = Asking::new(asker, behind.book(), now);
        if let Some(from) = self.forced(behind, flag_key, (asker, &asking)) {
            return Some(Answer { flag_key, unit, id, from, held: None, is_forced: true });
        }
        let held = behind.holdout.map(|holdout| self.held(holdout, asker));
        if held.as_ref().is_some_and(Held::is_out) {
            let from = match behind.control(&asking)? {
                Chosen::Experiment(flag, _) => {
                    let (variant_idx, reason) = (flag.control_idx, Reason::Disabled);
                    From::unassigned(flag, Decision { variant_idx, reason, assignment: None }, unit)
                }
                Chosen::Experience(chosen) => From::Experience(chosen),
            };
            return Some(Answer { flag_key, unit, id, from, held, is_forced: false });
        }
        let from = match behind.choose(now, &mut asking)? {
            Chosen::Experiment(flag, hit) => {
                let is_asked = behind.is_targeted() && flag.is_running();
                let is_met = if is_asked { asking.meets_condition(flag.experiment) } else { Some(true) };
                if is_met != Some(true) {
                    // What could not be asked is no reason to say that the unit is outside.
                    let is_unsure = asker.is_blind || is_met.is_none();
                    let reason = if is_unsure { Reason::Unknown } else { Reason::Disabled };
                    let decision = Decision { reason, ..flag.outside() };
                    let (assigned, drawn) = (None, Drawn::Unit(unit));
                    let from =
                        From::Experiment { flag, decision, assigned, drawn, is_met, is_new: false, hit };
                    return Some(Answer { flag_key, unit, id, from, held, is_forced: false });
                }
                let (drawn, earlier) = self.drawn(flag, asker);
                let decision = self.draw(flag, (&drawn, earlier), asker, id);
                let assigned = decision.assignment;
                let is_new = assigned.is_some() && assigned != earlier;
                let is_shown = !flag.is_shadow || assigned.is_none();
                let decision = if is_shown { decision } else { flag.outside() };
                From::Experiment { flag, decision, assigned, drawn, is_met, is_new, hit }
            }
            Chosen::Experience(mut chosen) => {
                let is_general = chosen.rules.iter().all(|rule| rule.when.is_none());
                if asker.is_blind && is_general && chosen.reason != Reason::Disabled {
                    chosen.reason = Reason::Unknown;
                }
                From::Experience(chosen)
            }
        };
        Some(Answer { flag_key, unit, id, from, held, is_forced: false })
    }

    /// Where the unit stands in the global holdout.
    fn held<'a>(&self, flag: &'a Flag, asker: &Asker<'a>) -> Held<'a> {
        let (drawn, earlier) = self.drawn(flag, asker);
        let decision = flag.decide(drawn.id(), earlier);
        Held { flag, decision, drawn, is_new: decision.assignment != earlier }
    }

    /// The decision as the log keeps it, with where the unit stands in the global holdout if the log does not know that
    /// yet; nothing if a link wanted it.
    ///
    /// - `exposure`: whether it is an exposure, where decisions count as such.
    pub(super) fn events(
        &self,
        answer: &Answer<'_>,
        exposure: bool,
        snapshot_version: u64,
        now: Timestamp,
    ) -> Vec<StoredEvent> {
        let mut events = answer.events(exposure, snapshot_version, now);
        if let Some(held) = answer.held.as_ref().filter(|_| exposure && !answer.is_forced)
            && self.published.shoppers.note_exposed(held.flag.experiment, held.drawn.id())
        {
            let made = OfExperiment {
                flag: held.flag,
                flag_key: &held.flag.experiment_key,
                id: Uuid::now_v7(),
                unit: held.drawn.id(),
                asked_as: None,
                decision: held.decision,
                assigned: held.decision.assignment,
                is_met: true,
                is_out: false,
                hit: None,
            };
            events.push(made.log_event((true, snapshot_version), now));
        }
        events
    }

    /// What a link shows that who asks came by.
    fn forced<'a>(
        &self,
        behind: &Behind<'a>,
        flag_key: &str,
        (asker, asking): (&Asker<'a>, &Asking<'_, '_>),
    ) -> Option<From<'a>> {
        let wanted = asker.links.wanted(&self.links.secret, flag_key, asking.now)?;
        let decision = |variant_idx| Decision { variant_idx, reason: Reason::Static, assignment: None };
        // A link is no key: what only servers are told of, no page is.
        let is_told = |server_only: bool| !server_only || asking.is_server();
        match behind.owned(wanted.owner, &wanted.variant)? {
            Owned::OfExperiment { flag, variant_idx, server_only } => {
                is_told(server_only).then(|| From::unassigned(flag, decision(variant_idx), asker.unit))
            }
            Owned::OfExperience(experience, content) => is_told(experience.server_only)
                .then(|| From::Experience(FromExperience::new(experience, content, Reason::Static))),
        }
    }

    /// Counts an answer, and remembers what it assigned.
    pub(super) fn settle(&self, answer: &Answer<'_>) {
        if answer.is_forced {
            return;
        }
        DECISIONS.increment(1);
        if answer.lacks_external() {
            metrics::counter!("podium_decisions_without_external_total").increment(1);
        }
        if let Some(Held { flag, decision, drawn, is_new: true }) = &answer.held
            && let Some(assignment) = decision.assignment
        {
            self.published.shoppers.assign(flag.experiment, drawn.id(), assignment);
        }
        match &answer.from {
            From::Experiment { flag, assigned: Some(assigned), drawn, is_new: true, .. }
                if flag.remembers() =>
            {
                self.published.shoppers.assign(flag.experiment, drawn.id(), *assigned);
            }
            From::Experience(FromExperience { violation: Some(_), .. }) => {
                metrics::counter!("podium_hit_policy_violations_total").increment(1);
            }
            From::Experiment { .. } | From::Experience(_) => {}
        }
    }

    /// For whom a decision is drawn, and what they were assigned before: the person, unless the unit was assigned
    /// something of its own before it was known to be theirs.
    pub(super) fn drawn<'a>(&self, flag: &Flag, asker: &Asker<'a>) -> (Drawn<'a>, Option<Assignment>) {
        let (shoppers, unit) = (&self.published.shoppers, asker.unit);
        if flag.stickiness == Stickiness::PerDecision {
            return (Drawn::Unit(unit), None);
        }
        let of_unit = shoppers.assigned(flag.experiment, unit);
        match shoppers.person_of(unit).filter(|_| of_unit.is_none()) {
            None => (Drawn::Unit(unit), of_unit),
            Some(person) => {
                let of_person = shoppers.assigned(flag.experiment, &person);
                (Drawn::Person(person), of_person)
            }
        }
    }

    fn draw(
        &self,
        flag: &Flag,
        (drawn, earlier): (&Drawn<'_>, Option<Assignment>),
        asker: &Asker<'_>,
        id: Uuid,
    ) -> Decision {
        if flag.stickiness == Stickiness::PerDecision {
            let mut text = Uuid::encode_buffer();
            return flag.decide(id.hyphenated().encode_lower(&mut text), None);
        }
        if !flag.remembers() {
            return flag.decide(drawn.id(), None);
        }
        // What the client can prove that the unit was assigned, should nothing be known of it here.
        let claimed = || asker.claims.assignment(&self.links.secret, asker.unit, flag.experiment);
        flag.decide(drawn.id(), earlier.or_else(claimed))
    }

    /// Proves to another node what the unit was assigned, where that is kept.
    pub(crate) fn sticky_token(&self, answer: &Answer<'_>) -> Option<String> {
        let From::Experiment { flag, decision, .. } = &answer.from else { return None };
        let kept = decision.assignment.filter(|_| flag.remembers())?;
        Some(sticky::token(&self.links.secret, answer.unit, flag.experiment, kept))
    }

    /// Hands decisions to the log; says whether it took them.
    pub(super) fn log(&self, events: Vec<StoredEvent>) -> bool {
        let n_events = events.len() as u64;
        let is_logged = events.is_empty() || self.queue.decisions(events).is_ok();
        if !is_logged {
            metrics::counter!("podium_decisions_unlogged_total").increment(n_events);
        }
        is_logged
    }
}
