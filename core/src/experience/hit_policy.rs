//! What becomes of the rules that hit: the hit policies of decision tables.

use serde::{Deserialize, Serialize};

/// What becomes of the rules that hit.
///
/// # Source
///
/// Object Management Group, *Decision Model and Notation* 1.5, section 8.2.10 (hit policy). Of the policies there,
/// `priority` and `output order` are left out: the order of the rules says as much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HitPolicy {
    /// At most one rule hits. More are a violation.
    Unique,
    /// The first rule that hits is served; the ones after it are not looked at.
    #[default]
    First,
    /// Every rule that hits serves the same. Anything else is a violation.
    Any,
    /// Everything that hits, in the order of the rules.
    RuleOrder,
    /// Everything that hits, in no order that is promised, or what an [`Aggregator`] makes of it.
    Collect,
}

/// What is made of everything that hits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregator {
    /// A list of it.
    #[default]
    List,
    /// The sum of the numbers.
    Sum,
    /// The smallest number.
    Min,
    /// The largest number.
    Max,
    /// How many rules hit.
    Count,
}

impl Aggregator {
    /// Whether contents have to be numbers for it.
    pub fn needs_numbers(self) -> bool {
        matches!(self, Self::Sum | Self::Min | Self::Max)
    }
}

/// What a table comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No rule hits.
    NoHit,
    /// These rules are served, by position and in their order; at least one.
    Hit(Vec<usize>),
    /// The rules that hit break the policy.
    Violated(Violation),
    /// Of a rule that had to be asked it cannot be told whether it hits.
    Unknown,
}

/// How rules that hit break their policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Violation {
    /// More than one hits where one may.
    SeveralHits,
    /// They serve different contents where they must serve the same.
    DifferentOutputs,
}

impl HitPolicy {
    /// Whether more than one content can be served.
    pub fn is_multiple(self) -> bool {
        matches!(self, Self::RuleOrder | Self::Collect)
    }

    /// Goes through the rules. No more of them are asked than the policy needs, and none after one of which it cannot be
    /// told.
    ///
    /// - `hits`: whether the rule at a position hits; `None` if it cannot be told.
    /// - `same`: whether the rules at two positions serve the same.
    pub fn outcome(
        self,
        n_rules: usize,
        mut hits: impl FnMut(usize) -> Option<bool>,
        same: impl Fn(usize, usize) -> bool,
    ) -> Outcome {
        let mut is_known = true;
        let known = (0..n_rules).map_while(|rule_idx| {
            let asked = hits(rule_idx);
            is_known = asked.is_some();
            asked.map(|hits| (rule_idx, hits))
        });
        let outcome = self.outcome_of(known.filter_map(|(rule_idx, hits)| hits.then_some(rule_idx)), same);
        if is_known { outcome } else { Outcome::Unknown }
    }

    /// - `hit`: the rules that hit.
    fn outcome_of(
        self,
        mut hit: impl Iterator<Item = usize>,
        same: impl Fn(usize, usize) -> bool,
    ) -> Outcome {
        let Some(first) = hit.next() else { return Outcome::NoHit };
        match self {
            Self::First => Outcome::Hit(vec![first]),
            Self::Unique => match hit.next() {
                None => Outcome::Hit(vec![first]),
                Some(_) => Outcome::Violated(Violation::SeveralHits),
            },
            Self::Any => {
                let mut all = vec![first];
                for next in hit {
                    if !same(first, next) {
                        return Outcome::Violated(Violation::DifferentOutputs);
                    }
                    all.push(next);
                }
                Outcome::Hit(all)
            }
            Self::RuleOrder | Self::Collect => Outcome::Hit(std::iter::once(first).chain(hit).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What three rules come to that serve `a`, `b` and `a` again.
    #[track_caller]
    fn check(policy: HitPolicy, hits: [bool; 3], expected: &Outcome) {
        let outputs = ["a", "b", "a"];
        let found =
            policy.outcome(3, |rule_idx| Some(hits[rule_idx]), |one, other| outputs[one] == outputs[other]);
        assert_eq!(found, *expected, "{policy:?} {hits:?}");
    }

    #[test]
    fn every_policy_is_what_the_standard_says() {
        use HitPolicy::{Any, Collect, First, RuleOrder, Unique};
        use Outcome::{Hit, NoHit};
        let several = || Outcome::Violated(Violation::SeveralHits);
        let different = || Outcome::Violated(Violation::DifferentOutputs);
        let (none, one, two) = ([false; 3], [false, true, false], [true, true, false]);
        let (equal, all) = ([true, false, true], [true; 3]);
        let cases = [
            (Unique, [NoHit, Hit(vec![1]), several(), several(), several()]),
            (First, [NoHit, Hit(vec![1]), Hit(vec![0]), Hit(vec![0]), Hit(vec![0])]),
            (Any, [NoHit, Hit(vec![1]), different(), Hit(vec![0, 2]), different()]),
            (RuleOrder, [NoHit, Hit(vec![1]), Hit(vec![0, 1]), Hit(vec![0, 2]), Hit(vec![0, 1, 2])]),
            (Collect, [NoHit, Hit(vec![1]), Hit(vec![0, 1]), Hit(vec![0, 2]), Hit(vec![0, 1, 2])]),
        ];
        for (policy, outcomes) in cases {
            for (hits, outcome) in [none, one, two, equal, all].into_iter().zip(outcomes) {
                check(policy, hits, &outcome);
            }
        }
    }

    #[test]
    fn the_first_hit_ends_the_search() {
        let mut asked = Vec::new();
        let hits = |rule_idx| {
            asked.push(rule_idx);
            Some(rule_idx == 1)
        };
        assert_eq!(HitPolicy::First.outcome(9, hits, |_, _| false), Outcome::Hit(vec![1]));
        assert_eq!(asked, [0, 1]);
    }

    #[test]
    fn a_rule_that_cannot_be_told_leaves_the_table_without_an_answer_where_it_is_asked() {
        use HitPolicy::{Any, Collect, First, RuleOrder, Unique};
        let of = |policy: HitPolicy, hits: [Option<bool>; 3]| {
            policy.outcome(3, |rule_idx| hits[rule_idx], |_, _| true)
        };
        let (no, yes, unknown) = (Some(false), Some(true), None);
        assert_eq!(of(First, [no, yes, unknown]), Outcome::Hit(vec![1]), "it is not asked");
        assert_eq!(of(Unique, [yes, yes, unknown]), Outcome::Violated(Violation::SeveralHits));
        for policy in [Unique, First, Any, RuleOrder, Collect] {
            for hits in [[unknown, yes, yes], [no, unknown, yes], [no, no, unknown]] {
                assert_eq!(of(policy, hits), Outcome::Unknown, "{policy:?} {hits:?}");
            }
        }
        for policy in [Unique, Any, RuleOrder, Collect] {
            assert_eq!(of(policy, [no, yes, unknown]), Outcome::Unknown, "{policy:?}");
        }
    }

    #[test]
    fn a_table_without_rules_hits_nothing() {
        assert_eq!(HitPolicy::Collect.outcome(0, |_| Some(true), |_, _| true), Outcome::NoHit);
    }
}
