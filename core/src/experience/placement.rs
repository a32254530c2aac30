//! Which of several experiences, and perhaps an experiment, answers on one flag key.

use super::{Compiled, CompiledRule, Experience, Outcome, Status, Violation};
use crate::id::{ExperienceKey, RuleKey};
use crate::time::Timestamp;
use serde::Serialize;
use std::cmp::Reverse;

/// Everything that answers to one flag key beside an experiment, the first to be asked first.
#[derive(Clone, Debug, Default)]
pub struct Placement(Box<[Compiled]>);

/// Who asks.
pub trait Visitor {
    /// Whether this caller may be told of experiences that are for servers only.
    fn is_server(&self) -> bool;

    /// When the visitor last closed what a key names, an experience or a flag, if ever.
    fn dismissed_at(&self, key: &str) -> Option<Timestamp>;

    /// Whether the condition of a rule holds for the visitor, if it has one; `None` if it cannot be told.
    fn meets(&mut self, rule: &CompiledRule) -> Option<bool>;
}

/// What stands behind the flag beside experiences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtExperiment {
    /// No experiment.
    None,
    /// One that assigns units.
    Running,
    /// One that gives everyone the same: a draft, paused or concluded.
    Resting,
}

/// What answers.
#[derive(Clone, Debug)]
pub enum Choice<'a> {
    /// Nothing: the flag is unknown.
    Nothing,
    /// The experiment.
    Experiment,
    /// Rules of an experience that hit.
    Rules {
        /// Whose.
        experience: &'a Compiled,
        /// Their positions, at least one.
        rules: Vec<usize>,
    },
    /// The fallback of an experience.
    Fallback {
        /// Whose.
        experience: &'a Compiled,
        /// Why no rule of it is served.
        why: WhyFallback,
    },
}

/// Why no rule is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyFallback {
    /// None hits.
    NoHit,
    /// Those that hit break the policy.
    Violated(Violation),
    /// Of one of them it cannot be told.
    Unknown,
    /// The experience is not shown: it is no longer or not yet live, or the visitor closed it.
    Off,
}

impl Placement {
    /// Gathers experiences that are not archived: by priority, of equal ones the older first.
    pub fn new(mut experiences: Vec<Compiled>) -> Self {
        experiences.sort_by_key(|experience| (Reverse(experience.priority), experience.id));
        Self(experiences.into())
    }

    /// The experiences, the first to be asked first.
    pub fn experiences(&self) -> &[Compiled] {
        &self.0
    }

    /// The keys of the experiments that its rules have decide.
    pub fn experiments(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|experience| &experience.rules).filter_map(|rule| rule.experiment.as_deref())
    }

    /// What answers to a visitor.
    ///
    /// The first experience that is shown and of which a rule hits. If none does: an experiment that runs; else the
    /// fallback of the first that is shown; else of the first that is paused or was closed by the visitor; else an
    /// experiment at rest; else the fallback of the first that is out of its time or a draft. So what is out of its
    /// time hides nothing that was there before. If it cannot be told whether a rule hits, it is the fallback of that
    /// experience: what comes after it may not be the visitor's.
    pub fn choose(&self, experiment: AtExperiment, now: Timestamp, visitor: &mut impl Visitor) -> Choice<'_> {
        let (mut shown, mut off, mut away) = (None, None, None);
        let is_server = visitor.is_server();
        for experience in self.0.iter().filter(|experience| !experience.server_only || is_server) {
            let is_hidden = experience.is_hidden(|key| visitor.dismissed_at(key), now);
            match experience.status {
                Status::Live | Status::Paused if !experience.is_in_time(now) => {
                    away.get_or_insert(experience);
                }
                Status::Live if !is_hidden => match experience.outcome(|rule| visitor.meets(rule)) {
                    Outcome::Hit(rules) => return Choice::Rules { experience, rules },
                    Outcome::Violated(violation) => {
                        return Choice::Fallback { experience, why: WhyFallback::Violated(violation) };
                    }
                    Outcome::Unknown => {
                        return Choice::Fallback { experience, why: WhyFallback::Unknown };
                    }
                    Outcome::NoHit => {
                        shown.get_or_insert(experience);
                    }
                },
                Status::Live | Status::Paused => {
                    off.get_or_insert(experience);
                }
                Status::Draft => {
                    away.get_or_insert(experience);
                }
                Status::Archived => {}
            }
        }
        let fallback = |experience, why| Choice::Fallback { experience, why };
        match (experiment, shown) {
            (AtExperiment::Running, _) => return Choice::Experiment,
            (_, Some(experience)) => return fallback(experience, WhyFallback::NoHit),
            (_, None) => {}
        }
        let off = off.or_else(|| away.filter(|_| experiment == AtExperiment::None));
        match (off, experiment) {
            (Some(experience), _) => fallback(experience, WhyFallback::Off),
            (None, AtExperiment::None) => Choice::Nothing,
            (None, AtExperiment::Running | AtExperiment::Resting) => Choice::Experiment,
        }
    }

    /// The same on every node that shows the same by now.
    pub fn fingerprint(&self, now: Timestamp) -> Vec<(u64, bool)> {
        self.0.iter().map(|experience| experience.fingerprint(now)).collect()
    }
}

/// Two live experiences of equal priority on one flag: the older is asked first, which nobody said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// The flag.
    pub flag_key: String,
    /// The priority that both have.
    pub priority: i32,
    /// Their keys, the older first.
    pub experiences: [ExperienceKey; 2],
    /// Pairs of their rules that are sure to hit together for some visitors: one of them is for everyone, or both have
    /// the same condition. Others may, too.
    pub rules: Vec<[RuleKey; 2]>,
}

/// Every conflict between live experiences whose schedules meet.
pub fn conflicts(experiences: &[Experience]) -> Vec<Conflict> {
    let mut live: Vec<&Experience> = experiences.iter().filter(|one| one.status == Status::Live).collect();
    live.sort_by_key(|experience| experience.id);
    let mut found = Vec::new();
    for (idx, older) in live.iter().enumerate() {
        for newer in live.iter().skip(idx + 1) {
            let is_conflict = older.flag_key() == newer.flag_key()
                && older.definition.priority == newer.definition.priority
                && meet(older, newer);
            if is_conflict {
                found.push(conflict(older, newer));
            }
        }
    }
    found
}

fn conflict(older: &Experience, newer: &Experience) -> Conflict {
    let mut rules = Vec::new();
    for one in &older.definition.rules {
        for other in &newer.definition.rules {
            if one.when.is_none() || other.when.is_none() || one.when == other.when {
                rules.push([one.key.clone(), other.key.clone()]);
            }
        }
    }
    Conflict {
        flag_key: older.flag_key().to_owned(),
        priority: older.definition.priority,
        experiences: [older.key.clone(), newer.key.clone()],
        rules,
    }
}

/// Whether there is a moment at which both are shown.
fn meet(one: &Experience, other: &Experience) -> bool {
    let ends_before = |one: &Experience, other: &Experience| {
        one.definition.ends_at.zip(other.definition.starts_at).is_some_and(|(end, start)| end <= start)
    };
    !ends_before(one, other) && !ends_before(other, one)
}

#[cfg(test)]
mod tests {
    use super::super::tests::experience;
    use super::*;
    use crate::id::{ExperienceId, ExperimentId};
    use serde_json::{Value, json};

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);

    /// Meets conditions that want a known user; closed the experiences that are named just now.
    struct Known {
        closed: &'static [&'static str],
        is_server: bool,
    }

    impl Visitor for Known {
        fn is_server(&self) -> bool {
            self.is_server
        }

        fn dismissed_at(&self, key: &str) -> Option<Timestamp> {
            self.closed.contains(&key).then_some(NOW)
        }

        fn meets(&mut self, rule: &CompiledRule) -> Option<bool> {
            let Some(when) = &rule.when else { return Some(true) };
            (when["external"].is_null()).then(|| when["profile"]["value"] == true)
        }
    }

    /// An experience with one rule, changed by `change`.
    fn one(id: i64, key: &str, status: Status, change: &Value) -> Experience {
        let mut definition = json!({
            "variants": [{"key": "a", "content": "A"}],
            "rules": [{"key": "r", "when": {"profile": {"fact": "known", "op": "eq", "value": true}}, "serve": "a"}],
            "fallback": "a",
            "flag_key": "home",
        });
        for (name, value) in change.as_object().unwrap() {
            definition[name] = value.clone();
        }
        Experience { id: ExperienceId(id), status, ..experience(key, &definition) }
    }

    fn unmet() -> Value {
        json!([{"key": "r", "when": {"profile": {"fact": "known", "op": "eq", "value": false}}, "serve": "a"}])
    }

    #[track_caller]
    fn check_of(experiences: &[Experience], experiment: AtExperiment, visitor: &mut Known, expected: &str) {
        let compiled = experiences.iter().map(|one| Compiled::new(one, &[ExperimentId(-1); 2]));
        let placement = Placement::new(compiled.collect());
        let found = match placement.choose(experiment, NOW, visitor) {
            Choice::Nothing => "nothing".to_owned(),
            Choice::Experiment => "experiment".to_owned(),
            Choice::Rules { experience, .. } => format!("{} rules", experience.key),
            Choice::Fallback { experience, why } => format!("{} {why:?}", experience.key),
        };
        assert_eq!(found, expected);
    }

    #[track_caller]
    fn check(experiences: &[Experience], experiment: AtExperiment, expected: &str) {
        check_of(experiences, experiment, &mut Known { closed: &[], is_server: true }, expected);
    }

    #[test]
    fn the_first_by_priority_whose_rule_hits_answers() {
        use AtExperiment::{None, Resting, Running};
        use Status::{Draft, Live, Paused};
        let low = || one(1, "low", Live, &json!({}));
        let high = |rules: Value| one(2, "high", Live, &json!({"priority": 5, "rules": rules}));
        check(
            &[low(), high(low().definition.rules.iter().map(|rule| json!(rule)).collect())],
            Running,
            "high rules",
        );
        check(&[low(), high(unmet())], Running, "low rules");
        let newer = one(3, "newer", Live, &json!({}));
        check(&[newer.clone(), low()], Running, "low rules");
        let never = |id, key| one(id, key, Live, &json!({"rules": unmet(), "priority": id}));
        check(&[never(1, "x"), never(2, "y")], Running, "experiment");
        check(&[never(1, "x"), never(2, "y")], Resting, "y NoHit");
        check(&[never(1, "x"), never(2, "y")], None, "y NoHit");
        let paused = one(1, "paused", Paused, &json!({}));
        let draft = one(2, "draft", Draft, &json!({}));
        check(&[paused.clone(), draft.clone()], Running, "experiment");
        check(&[paused.clone(), draft.clone()], Resting, "paused Off");
        check(std::slice::from_ref(&draft), Resting, "experiment");
        check(&[draft], None, "draft Off");
        check(&[paused], None, "paused Off");
        check(&[], Resting, "experiment");
        check(&[], None, "nothing");
    }

    #[test]
    fn a_schedule_begins_and_ends_to_the_microsecond() {
        let at = |micros: i64| Timestamp::from_micros(NOW.as_micros() + micros).to_string();
        let timed = |schedule: Value| [one(1, "timed", Status::Live, &schedule)];
        check(&timed(json!({"starts_at": at(0)})), AtExperiment::None, "timed rules");
        check(&timed(json!({"starts_at": at(1)})), AtExperiment::None, "timed Off");
        check(&timed(json!({"starts_at": at(1)})), AtExperiment::Resting, "experiment");
        check(&timed(json!({"ends_at": at(1)})), AtExperiment::None, "timed rules");
        check(&timed(json!({"ends_at": at(0)})), AtExperiment::None, "timed Off");
        check(&timed(json!({"ends_at": at(0)})), AtExperiment::Running, "experiment");
    }

    #[test]
    fn what_pages_were_told_changes_with_contents_and_with_the_clock() {
        let at = |micros: i64| Timestamp::from_micros(NOW.as_micros() + micros);
        let of = |change: &Value, now| {
            let compiled = Compiled::new(&one(1, "timed", Status::Live, change), &[]);
            Placement::new(vec![compiled]).fingerprint(now)
        };
        let starts = json!({"starts_at": at(5).to_string()});
        assert_eq!(of(&starts, at(0)), of(&starts, at(4)));
        assert_ne!(of(&starts, at(4)), of(&starts, at(5)));
        assert_ne!(of(&json!({}), NOW), of(&json!({"priority": 1}), NOW));
    }

    #[test]
    fn who_closed_it_or_may_not_know_of_it_gets_the_next() {
        let first = one(1, "first", Status::Live, &json!({"dismiss_days": 7, "priority": 1}));
        let second = one(2, "second", Status::Live, &json!({}));
        let both = [first.clone(), second.clone()];
        let closed = || Known { closed: &["first", "second"], is_server: true };
        check_of(&both, AtExperiment::None, &mut closed(), "second rules");
        check_of(&[first], AtExperiment::None, &mut closed(), "first Off");
        let hidden = one(3, "hidden", Status::Live, &json!({"server_only": true, "priority": 9}));
        let page = || Known { closed: &[], is_server: false };
        check_of(&[hidden.clone(), second], AtExperiment::None, &mut page(), "second rules");
        check_of(&[hidden], AtExperiment::None, &mut page(), "nothing");
    }

    #[test]
    fn a_violation_is_the_fallback_and_not_the_next() {
        let rules = json!([{"key": "r", "serve": "a"}, {"key": "s", "serve": "a"}]);
        let wrong =
            one(1, "wrong", Status::Live, &json!({"rules": rules, "hit_policy": "unique", "priority": 1}));
        let next = one(2, "next", Status::Live, &json!({}));
        check(&[wrong, next], AtExperiment::Running, "wrong Violated(SeveralHits)");
    }

    #[test]
    fn what_cannot_be_told_is_the_fallback_and_not_the_next() {
        let external = json!({"external": {"source": "erp", "field": "tier", "op": "eq", "value": "gold"}});
        let rules = json!([{"key": "r", "when": external, "serve": "a"}]);
        let unsure = one(1, "unsure", Status::Live, &json!({"rules": rules, "priority": 1}));
        let next = one(2, "next", Status::Live, &json!({}));
        check(&[unsure.clone(), next.clone()], AtExperiment::Running, "unsure Unknown");
        let before = one(3, "before", Status::Live, &json!({"priority": 2}));
        check(&[unsure, before], AtExperiment::Running, "before rules");
    }

    #[test]
    fn equal_priorities_on_one_flag_are_told() {
        let twins = [one(2, "newer", Status::Live, &json!({})), one(1, "older", Status::Live, &json!({}))];
        let found = conflicts(&twins);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].experiences.each_ref().map(ExperienceKey::as_str), ["older", "newer"]);
        assert_eq!(found[0].rules.len(), 1, "the same condition");
        for other in [
            one(2, "other", Status::Live, &json!({"priority": 1})),
            one(2, "other", Status::Paused, &json!({})),
            one(2, "other", Status::Live, &json!({"flag_key": "cart"})),
        ] {
            assert_eq!(conflicts(&[other, twins[1].clone()]), []);
        }
        let unlike = one(2, "newer", Status::Live, &json!({"rules": unmet()}));
        assert_eq!(conflicts(&[unlike, twins[1].clone()])[0].rules.len(), 0);
        let until = one(3, "until", Status::Live, &json!({"ends_at": "2026-11-27T00:00:00Z"}));
        let from = one(4, "from", Status::Live, &json!({"starts_at": "2026-11-27T00:00:00Z"}));
        assert_eq!(conflicts(&[until, from]), [], "they never meet");
    }
}
