//! Whether a condition holds, until when, and why.

use super::external::External;
use super::members::member_pointer;
use super::rfm::RfmCuts;
use super::set::{Audiences, CompiledCondition, Node};
use super::subject;
use crate::money::Currency;
use crate::profile::Profile;
use crate::time::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// How many instants are looked at for one at which the answer really changes.
const INSTANTS_MAX: usize = 16;

/// Whom conditions are asked of.
#[derive(Clone, Copy, Debug)]
pub struct Shopper<'a> {
    /// What is known of the person.
    pub profile: &'a Profile,
    /// What the request brings: an object, or null between requests.
    pub context: &'a Value,
    /// What other systems say of the person, as far as it could be had.
    pub external: &'a External,
    /// The project's currency.
    pub currency: Currency,
    /// Where the fifths of all customers meet, if there are customers.
    pub rfm: Option<&'a RfmCuts>,
}

/// What became of one condition.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Clause {
    /// Where it stands: from the root of the condition, or of the audience's that it belongs to.
    pub pointer: String,
    /// Whether it holds; null if that hangs on what could not be had.
    pub holds: Option<bool>,
    /// What should be, in words.
    pub wanted: String,
    /// What is, in words.
    pub found: String,
    /// The conditions in it; for an audience, what became of its condition.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clauses: Vec<Self>,
}

impl Audiences {
    /// Whether a condition is known to hold now.
    pub fn holds(&self, condition: &CompiledCondition, shopper: &Shopper<'_>, now: Timestamp) -> bool {
        self.answer(condition, shopper, now) == Some(true)
    }

    /// Whether a condition holds now; `None` if that hangs on what another system says, and it could not be had. Clauses
    /// are looked at one by one: that two of them exclude each other is not seen.
    ///
    /// # Source
    ///
    /// Kleene (1952), *Introduction to Metamathematics*, §64: the strong connectives of three-valued logic.
    pub fn answer(
        &self,
        condition: &CompiledCondition,
        shopper: &Shopper<'_>,
        now: Timestamp,
    ) -> Option<bool> {
        self.node_answer(&condition.root, shopper, now)
    }

    fn node_answer(&self, node: &Node, shopper: &Shopper<'_>, now: Timestamp) -> Option<bool> {
        match node {
            Node::All(nodes) => joined(false, nodes.iter().map(|node| self.node_answer(node, shopper, now))),
            Node::Any(nodes) => joined(true, nodes.iter().map(|node| self.node_answer(node, shopper, now))),
            Node::Not(node) => self.node_answer(node, shopper, now).map(|holds| !holds),
            Node::Is(subject, test) => test.answer(&subject.found(shopper, now), now),
            Node::Time(schedule) => Some(schedule.holds(now)),
            Node::Event((leaf, id)) => {
                Some(leaf.holds(shopper.profile.leaves.get(id), shopper.currency, now))
            }
            Node::Audience((_, id)) => {
                self.get(*id).map_or(Some(false), |named| self.answer(named, shopper, now))
            }
        }
    }

    /// The earliest instant after now at which the answer may be another though nothing happens: sometimes too early,
    /// never too late. `None` if it stays as it is.
    pub fn next_change(
        &self,
        condition: &CompiledCondition,
        shopper: &Shopper<'_>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let before = self.answer(condition, shopper, now);
        let next = |from: &Timestamp| self.node_change(&condition.root, shopper, *from);
        let mut last = None;
        for instant in std::iter::successors(next(&now), next).take(INSTANTS_MAX) {
            last = Some(instant);
            if self.answer(condition, shopper, instant) != before {
                return last;
            }
        }
        // Nothing further can change, or there are too many instants to look at.
        last.filter(|instant| next(instant).is_some())
    }

    fn node_change(&self, node: &Node, shopper: &Shopper<'_>, now: Timestamp) -> Option<Timestamp> {
        match node {
            Node::All(nodes) | Node::Any(nodes) => {
                nodes.iter().filter_map(|node| self.node_change(node, shopper, now)).min()
            }
            Node::Not(node) => self.node_change(node, shopper, now),
            Node::Is(subject, test) => test.next_change(&subject.found(shopper, now), now),
            Node::Time(schedule) => schedule.next_change(now),
            Node::Event((leaf, id)) => {
                leaf.next_change(shopper.profile.leaves.get(id), shopper.currency, now)
            }
            Node::Audience((_, id)) => self.node_change(&self.get(*id)?.root, shopper, now),
        }
    }

    /// The condition again, with what was found at each of its parts, none left out.
    pub fn explain(&self, condition: &CompiledCondition, shopper: &Shopper<'_>, now: Timestamp) -> Clause {
        self.clause(&condition.root, String::new(), shopper, now)
    }

    fn clause(&self, node: &Node, pointer: String, shopper: &Shopper<'_>, now: Timestamp) -> Clause {
        let list = |name: &str, nodes: &[Node]| -> Vec<Clause> {
            let at = |idx| format!("{}/{idx}", member_pointer(&pointer, name));
            nodes.iter().enumerate().map(|(idx, node)| self.clause(node, at(idx), shopper, now)).collect()
        };
        let (wanted, found, clauses) = match node {
            Node::All(nodes) => counted("all of", list("all", nodes)),
            Node::Any(nodes) => counted("at least one of", list("any", nodes)),
            Node::Not(inner) => {
                let clause = self.clause(inner, member_pointer(&pointer, "not"), shopper, now);
                let found = match clause.holds {
                    Some(true) => "it holds",
                    Some(false) => "it does not hold",
                    None => "it cannot be told whether it holds",
                };
                ("what follows does not hold".to_owned(), found.to_owned(), vec![clause])
            }
            Node::Is(subject, test) => {
                (subject::words(subject, test), subject.found(shopper, now).words(), Vec::new())
            }
            Node::Time(schedule) => (schedule.words(), schedule.found(now), Vec::new()),
            Node::Event((leaf, id)) => (
                leaf.words(),
                leaf.found_words(shopper.profile.leaves.get(id), shopper.currency, now),
                Vec::new(),
            ),
            Node::Audience((key, id)) => {
                let inner = self.get(*id).map(|named| self.explain(named, shopper, now));
                let found = match inner.as_ref().map(|clause| clause.holds) {
                    Some(Some(true)) => "in it",
                    Some(Some(false)) => "not in it",
                    Some(None) => "it cannot be told whether in it",
                    None => "no such audience",
                };
                (format!("being in the audience `{key}`"), found.to_owned(), inner.into_iter().collect())
            }
        };
        let holds = self.node_answer(node, shopper, now);
        Clause { pointer, holds, wanted, found, clauses }
    }
}

fn counted(wanted: &str, clauses: Vec<Clause>) -> (String, String, Vec<Clause>) {
    let count = |holds| clauses.iter().filter(|clause| clause.holds == holds).count();
    let (n, n_holding, n_unknown) = (clauses.len(), count(Some(true)), count(None));
    let unknown = if n_unknown == 0 { String::new() } else { format!("; {n_unknown} cannot be told") };
    (format!("{wanted} {n}"), format!("{n_holding} of {n}{unknown}"), clauses)
}

/// What several answers come to of which one that is `decisive` is enough.
fn joined(decisive: bool, answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut whole = Some(!decisive);
    for answer in answers {
        match answer {
            Some(answer) if answer == decisive => return Some(decisive),
            Some(_) => {}
            None => whole = None,
        }
    }
    whole
}
