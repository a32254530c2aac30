//! What answers on a flag: one of its experiences, or the experiment behind it.

use super::{as_experiment, logged};
use crate::catalog::Catalog;
use crate::rulebook::Rulebook;
use podium_core::experience::{
    AtExperiment, Choice, Compiled, CompiledRule, Content, Placement, Violation, Visitor, WhyFallback,
};
use podium_core::id::ExperimentId;
use podium_core::projection::{Sighting, StoredEvent};
use podium_core::snapshot::{Flag, Reason};
use podium_core::time::Timestamp;
use serde_json::json;
use uuid::Uuid;

/// What answers.
#[derive(Debug)]
pub(crate) enum Chosen<'a> {
    /// The experiment, which goes on to decide: the one behind the flag, or that of a rule that hits.
    Experiment(&'a Flag, Option<Hit<'a>>),
    /// An experience.
    Experience(FromExperience<'a>),
}

/// The rule of an experience that has an experiment decide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit<'a> {
    /// Whose rule it is.
    pub(crate) experience: &'a Compiled,
    /// The rule.
    pub(crate) rule: &'a CompiledRule,
}

/// What an experience gives.
#[derive(Debug)]
pub(crate) struct FromExperience<'a> {
    /// Whose it is.
    pub(crate) experience: &'a Compiled,
    /// What the client gets.
    pub(crate) content: Content<'a>,
    /// Why.
    pub(crate) reason: Reason,
    /// The rules that it is of; none for the fallback.
    pub(crate) rules: Vec<&'a CompiledRule>,
    /// How the rules that hit break the hit policy, if they do.
    pub(crate) violation: Option<Violation>,
    /// Whether it is the fallback because what another system says could not be had.
    pub(crate) lacks_external: bool,
}

/// A variant, with whose it is.
#[derive(Debug)]
pub(super) enum Owned<'a> {
    /// An experiment's.
    OfExperiment {
        /// Whose.
        flag: &'a Flag,
        /// Its position.
        variant_idx: usize,
        /// Whether only servers are told of it.
        server_only: bool,
    },
    /// An experience's, with what it comes to.
    OfExperience(&'a Compiled, Content<'a>),
}

/// What may answer on a flag, found once for all who ask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behind<'a> {
    catalog: &'a Catalog,
    pub(super) flag_key: &'a str,
    flag: Option<&'a Flag>,
    is_targeted: bool,
    placement: Option<&'a Placement>,
    /// The global holdout, unless that is what is asked for.
    pub(super) holdout: Option<&'a Flag>,
}

impl<'a> Behind<'a> {
    /// What stands behind a flag.
    pub(crate) fn of(catalog: &'a Catalog, flag_key: &'a str) -> Self {
        let (flag, placement) = (catalog.snapshot.flag(flag_key), catalog.placement(flag_key));
        let is_asked_for = |holdout: &&Flag| flag.is_some_and(|flag| flag.experiment == holdout.experiment);
        let holdout = catalog.holdout().filter(|holdout| !is_asked_for(holdout));
        Self { catalog, flag_key, flag, placement, is_targeted: catalog.is_targeted(flag_key), holdout }
    }

    /// The conditions that may be asked.
    pub(super) fn book(&self) -> &'a Rulebook {
        &self.catalog.book
    }

    /// Whether the answer depends on what is known of who asks.
    pub(super) fn is_targeted(&self) -> bool {
        self.is_targeted
    }

    /// What may be shown on the flag: what answers, what waits to, experiences in their order, and what their
    /// rules have decide.
    pub(super) fn owners(&self) -> Vec<ExperimentId> {
        let answers = self.flag.map(|flag| flag.experiment).into_iter();
        let waits = self.catalog.all_waiting(self.flag_key).into_iter().rev();
        let experiences = self.experiences().iter().map(|experience| as_experiment(experience.id));
        let of_rules = self.of_rules().map(|(flag, _)| flag.experiment);
        answers.chain(waits).chain(experiences).chain(of_rules).collect()
    }

    /// The experiments that rules on the flag have decide, each with whether only servers are told of it.
    fn of_rules(&self) -> impl Iterator<Item = (&'a Flag, bool)> {
        let catalog = self.catalog;
        self.experiences().iter().flat_map(move |experience| {
            let flags =
                experience.rules.iter().filter_map(move |rule| catalog.flag_of(rule.experiment.as_deref()?));
            flags.map(|flag| (flag, flag.server_only || experience.server_only))
        })
    }

    /// The experiences on the flag, the first to be asked first.
    pub(super) fn experiences(&self) -> &'a [Compiled] {
        self.placement.map_or(&[], Placement::experiences)
    }

    /// The variant of a key, of whatever may be shown on the flag.
    pub(super) fn owned(&self, owner: ExperimentId, variant: &str) -> Option<Owned<'a>> {
        let experience = self.experiences().iter().find(|experience| as_experiment(experience.id) == owner);
        if let Some(experience) = experience {
            return Some(Owned::OfExperience(experience, experience.only(variant)?));
        }
        let own = self.flag.into_iter().chain(self.catalog.waiting(self.flag_key, owner));
        let own = own.map(|flag| (flag, flag.server_only));
        let mut flags = own.chain(self.of_rules());
        let (flag, server_only) = flags.find(|(flag, _)| flag.experiment == owner)?;
        let variant_idx = flag.variants.iter().position(|one| *one.key == *variant)?;
        Some(Owned::OfExperiment { flag, variant_idx, server_only })
    }

    /// What answers to who is held out of everything: a control, or a fallback; `None` if nothing does.
    pub(super) fn control(&self, visitor: &impl Visitor) -> Option<Chosen<'a>> {
        let is_told = |server_only: bool| !server_only || visitor.is_server();
        if let Some(flag) = self.flag.filter(|flag| is_told(flag.server_only)) {
            return Some(Chosen::Experiment(flag, None));
        }
        let experience = self.experiences().iter().find(|experience| is_told(experience.server_only))?;
        Chosen::fallback(experience, (Reason::Disabled, None))
    }

    /// Chooses what answers; `None` if nothing does.
    pub(crate) fn choose(self, now: Timestamp, visitor: &mut impl Visitor) -> Option<Chosen<'a>> {
        let flag = self.flag.filter(|flag| !flag.server_only || visitor.is_server());
        let Some(placement) = self.placement else { return flag.map(|flag| Chosen::Experiment(flag, None)) };
        let experiment = match flag {
            None => AtExperiment::None,
            Some(flag) if flag.is_running() => AtExperiment::Running,
            Some(_) => AtExperiment::Resting,
        };
        match placement.choose(experiment, now, visitor) {
            Choice::Nothing => None,
            Choice::Experiment => flag.map(|flag| Chosen::Experiment(flag, None)),
            Choice::Rules { experience, rules } => {
                let rule = rules.first().and_then(|rule_idx| experience.rules.get(*rule_idx));
                if let Some((rule, key)) = rule.and_then(|rule| Some((rule, rule.experiment.as_deref()?))) {
                    let flag = self.catalog.flag_of(key);
                    return flag.map_or_else(
                        // It was put away.
                        || Chosen::fallback(experience, (Reason::Disabled, None)),
                        |flag| Some(Chosen::Experiment(flag, Some(Hit { experience, rule }))),
                    );
                }
                let content = experience.content(&rules)?;
                let rules: Vec<_> =
                    rules.into_iter().filter_map(|rule_idx| experience.rules.get(rule_idx)).collect();
                let is_targeted = rules.iter().any(|rule| rule.when.is_some());
                let reason = if is_targeted { Reason::TargetingMatch } else { Reason::Static };
                let plain = FromExperience::new(experience, content, reason);
                Some(Chosen::Experience(FromExperience { rules, ..plain }))
            }
            Choice::Fallback { experience, why } => {
                let why = match why {
                    WhyFallback::NoHit => (Reason::Static, None),
                    WhyFallback::Off => (Reason::Disabled, None),
                    WhyFallback::Violated(violation) => (Reason::Unknown, Some(violation)),
                    WhyFallback::Unknown => return Chosen::unsure(experience),
                };
                Chosen::fallback(experience, why)
            }
        }
    }
}

impl<'a> Chosen<'a> {
    fn fallback(experience: &'a Compiled, (reason, violation): (Reason, Option<Violation>)) -> Option<Self> {
        let plain = FromExperience::new(experience, experience.fallback()?, reason);
        Some(Self::Experience(FromExperience { violation, ..plain }))
    }

    /// The fallback of an experience because it cannot be told whether a rule of it hits.
    fn unsure(experience: &'a Compiled) -> Option<Self> {
        let plain = FromExperience::new(experience, experience.fallback()?, Reason::Unknown);
        Some(Self::Experience(FromExperience { lacks_external: true, ..plain }))
    }
}

impl Hit<'_> {
    /// That a unit met the rule, as the log keeps it: what the experiment decided is another event.
    ///
    /// - `exposed`: whether it counts.
    pub(crate) fn log_event(
        &self,
        (flag_key, unit): (&str, &str),
        (variant, reason): (Option<&str>, Reason),
        (exposed, snapshot_version): (bool, u64),
        now: Timestamp,
    ) -> StoredEvent {
        let body = json!({
            "flag": flag_key,
            "experience": &*self.experience.key,
            "rules": [&*self.rule.key],
            "variant": variant.unwrap_or_default(),
            "reason": reason,
            "violation": null,
            "snapshot": snapshot_version,
        });
        rule_event((unit, Uuid::now_v7()), Some((self.rule.figures, exposed)), &body.to_string(), now)
    }
}

impl<'a> FromExperience<'a> {
    /// Gives what no rule is asked for.
    pub(super) fn new(experience: &'a Compiled, content: Content<'a>, reason: Reason) -> Self {
        Self { experience, content, reason, rules: Vec::new(), violation: None, lacks_external: false }
    }

    /// What the unit is counted under: each of the rules that it got something of, or the fallback; nothing while the
    /// experience is off, or if it cannot be told whether a rule would have been the unit's.
    fn counted(&self) -> Vec<ExperimentId> {
        if self.lacks_external {
            return Vec::new();
        }
        match (self.rules.is_empty(), self.reason) {
            (false, _) => self.rules.iter().map(|rule| rule.figures).collect(),
            (true, Reason::Disabled) => Vec::new(),
            (true, _) => vec![self.experience.figures],
        }
    }

    /// The decision as the log keeps it: an event says of one rule that a unit met it, so that further rules have
    /// further events.
    pub(crate) fn log_events(
        &self,
        (flag_key, unit, id): (&str, &str, Uuid),
        (exposed, snapshot_version): (bool, u64),
        now: Timestamp,
    ) -> Vec<StoredEvent> {
        let rules: Vec<&str> = self.rules.iter().map(|rule| &*rule.key).collect();
        let body = json!({
            "flag": flag_key,
            "experience": &*self.experience.key,
            "rules": rules,
            "variant": &*self.content.variant,
            "reason": self.reason,
            "violation": self.violation,
            "snapshot": snapshot_version,
        });
        let body = body.to_string();
        let event = |(idx, figures): (usize, Option<ExperimentId>)| {
            let id = if idx == 0 { id } else { Uuid::now_v7() };
            rule_event((unit, id), figures.map(|figures| (figures, exposed)), &body, now)
        };
        let counted = self.counted();
        if counted.is_empty() {
            return vec![event((0, None))];
        }
        counted.into_iter().map(Some).enumerate().map(event).collect()
    }
}

/// - `counted`: what the unit is counted under, and whether it is exposed; `None` counts nothing.
fn rule_event(
    (unit, id): (&str, Uuid),
    counted: Option<(ExperimentId, bool)>,
    body: &str,
    now: Timestamp,
) -> StoredEvent {
    let sighting = counted.map(|(experiment, exposed)| Sighting {
        experiment,
        variant_idx: 0,
        exposed,
        version: None,
        propensity: None,
    });
    logged::as_logged((unit.into(), id), sighting, body.into(), now)
}
