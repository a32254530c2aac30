//! An experience made ready to decide on: contents are JSON text already.

use super::{Aggregator, Definition, Experience, HitPolicy, Outcome, Status};
use crate::id::{ExperienceId, ExperimentId, VariantKey};
use crate::snapshot::FlagVariant;
use crate::time::Timestamp;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use std::borrow::Cow;
use twox_hash::XxHash3_64;

const DAY_S: i64 = 86_400;

/// A rule, ready to decide on.
#[derive(Clone, Debug)]
pub struct CompiledRule {
    /// Its name.
    pub key: Box<str>,
    /// The condition; everyone if absent.
    pub when: Option<Value>,
    /// What its units are counted under.
    pub figures: ExperimentId,
    /// The key of the experiment that decides what is served; none if it is one variant.
    pub experiment: Option<Box<str>>,
    variant_idx: usize,
}

/// An experience, ready to decide on.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// As the store numbers it.
    pub id: ExperienceId,
    /// Its name.
    pub key: Box<str>,
    /// What may be shown.
    pub variants: Box<[FlagVariant]>,
    /// Who gets what, in this order.
    pub rules: Box<[CompiledRule]>,
    /// What the units are counted under that get the fallback because no rule hits.
    pub figures: ExperimentId,
    /// Whether pages are not told of it.
    pub server_only: bool,
    /// The highest is asked first.
    pub priority: i32,
    /// Where it stands.
    pub status: Status,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    flag_key: Box<str>,
    dismiss_days: Option<u32>,
    fallback_idx: usize,
    hit_policy: HitPolicy,
    aggregator: Aggregator,
    fingerprint: u64,
    numbers: Box<[Number]>,
}

/// What a client gets.
#[derive(Clone, Debug)]
pub struct Content<'a> {
    /// The key of the variant; of several, their keys with `+` between them.
    pub variant: Cow<'a, str>,
    /// The content, as JSON.
    pub value: Cow<'a, RawValue>,
    /// The position of the variant, unless the content is made of several.
    pub variant_idx: Option<usize>,
}

/// A content that can be added up. Sums of integers stay exact: the definition sees to it.
#[derive(Clone, Copy, Debug)]
enum Number {
    Whole(i64),
    Float(f64),
}

impl Compiled {
    /// Compiles an experience.
    ///
    /// - `figures`: what the units of each rule are counted under, and at last those of the fallback.
    pub fn new(experience: &Experience, figures: &[ExperimentId]) -> Self {
        let Definition { variants, rules, .. } = &experience.definition;
        let definition = &experience.definition;
        let place = |key: &VariantKey| definition.variant_idx(key).unwrap_or_default();
        let figures_of = |idx: usize| figures.get(idx).copied().unwrap_or(ExperimentId(0));
        Self {
            key: experience.key.as_str().into(),
            variants: variants
                .iter()
                .map(|variant| FlagVariant::new(&variant.key, &variant.content, &variant.channels))
                .collect(),
            rules: rules
                .iter()
                .enumerate()
                .map(|(rule_idx, rule)| CompiledRule {
                    key: rule.key.as_str().into(),
                    when: rule.when.clone(),
                    figures: figures_of(rule_idx),
                    experiment: rule.serve_experiment.as_ref().map(|key| key.as_str().into()),
                    variant_idx: place(rule.serve.as_ref().unwrap_or(&definition.fallback)),
                })
                .collect(),
            figures: figures_of(rules.len()),
            server_only: definition.server_only,
            id: experience.id,
            priority: definition.priority,
            status: experience.status,
            starts_at: definition.starts_at,
            ends_at: definition.ends_at,
            flag_key: experience.flag_key().into(),
            dismiss_days: definition.dismiss_days,
            fallback_idx: place(&definition.fallback),
            hit_policy: definition.hit_policy,
            aggregator: definition.aggregator.unwrap_or_default(),
            fingerprint: fingerprint(experience),
            numbers: variants.iter().map(|variant| Number::of(&variant.content)).collect(),
        }
    }

    /// Whether what it shows depends on what is known of who asks.
    pub fn is_targeted(&self) -> bool {
        self.dismiss_days.is_some() || self.rules.iter().any(|rule| rule.when.is_some())
    }

    /// Whether its schedule is on.
    pub fn is_in_time(&self, now: Timestamp) -> bool {
        self.starts_at.is_none_or(|starts_at| starts_at <= now)
            && self.ends_at.is_none_or(|ends_at| now < ends_at)
    }

    /// Whether it is hidden from who closed it, or whatever stood under its flag: a page that knows no more than the
    /// flag it asked for can say no more.
    ///
    /// - `dismissed_at`: when the visitor last closed what a key names.
    pub fn is_hidden(&self, dismissed_at: impl Fn(&str) -> Option<Timestamp>, now: Timestamp) -> bool {
        let Some(days) = self.dismiss_days else { return false };
        let closed_at = dismissed_at(&self.key).max(dismissed_at(&self.flag_key));
        closed_at.is_some_and(|at| now < at.plus_seconds(i64::from(days) * DAY_S))
    }

    /// What it is made of and whether its schedule is on, in a number: what a page has been told changes with it.
    pub(super) fn fingerprint(&self, now: Timestamp) -> (u64, bool) {
        (self.fingerprint, self.is_in_time(now))
    }

    /// What the rules come to.
    ///
    /// - `hits`: whether a rule hits; `None` if it cannot be told.
    pub fn outcome(&self, mut hits: impl FnMut(&CompiledRule) -> Option<bool>) -> Outcome {
        let hits = |rule_idx: usize| self.rules.get(rule_idx).map_or(Some(false), &mut hits);
        let content =
            |rule_idx: usize| Some(self.variants.get(self.rules.get(rule_idx)?.variant_idx)?.content.get());
        self.hit_policy.outcome(self.rules.len(), hits, |one, other| content(one) == content(other))
    }

    /// What a client gets for rules that hit.
    pub fn content(&self, rules: &[usize]) -> Option<Content<'_>> {
        let served = |rule_idx: &usize| self.rules.get(*rule_idx).map(|rule| rule.variant_idx);
        let served: Vec<usize> = rules.iter().filter_map(served).collect();
        if self.hit_policy.is_multiple() { self.combined(&served) } else { self.one(*served.first()?) }
    }

    /// What a client gets where no rule is served: what a list has is a list of the fallback, and no rule is counted.
    pub fn fallback(&self) -> Option<Content<'_>> {
        self.alone(self.fallback_idx, 0)
    }

    /// What a client gets if the variant of this key is all there is.
    pub fn only(&self, variant: &str) -> Option<Content<'_>> {
        self.alone(self.variants.iter().position(|one| *one.key == *variant)?, 1)
    }

    /// A variant as the hit policy gives it.
    ///
    /// - `n_hits`: what counts as its number.
    fn alone(&self, variant_idx: usize, n_hits: u32) -> Option<Content<'_>> {
        let own = self.one(variant_idx)?;
        let value = match (self.hit_policy, self.aggregator) {
            (HitPolicy::RuleOrder, _) | (HitPolicy::Collect, Aggregator::List) => {
                Cow::Owned(list(&[&own.value])?)
            }
            (HitPolicy::Collect, Aggregator::Count) => Cow::Owned(to_raw_value(&n_hits).ok()?),
            _ => return Some(own),
        };
        Some(Content { value, variant_idx: None, ..own })
    }

    /// The variant that a rule serves; none if an experiment decides.
    pub fn served(&self, rule: &CompiledRule) -> Option<&str> {
        let variant = self.variants.get(rule.variant_idx).filter(|_| rule.experiment.is_none());
        variant.map(|variant| &*variant.key)
    }

    fn one(&self, variant_idx: usize) -> Option<Content<'_>> {
        let variant = self.variants.get(variant_idx)?;
        let (key, value) = (Cow::Borrowed(&*variant.key), Cow::Borrowed(&*variant.content));
        Some(Content { variant: key, value, variant_idx: Some(variant_idx) })
    }

    fn combined(&self, served: &[usize]) -> Option<Content<'_>> {
        let variants: Vec<_> =
            served.iter().filter_map(|variant_idx| self.variants.get(*variant_idx)).collect();
        let numbers = || served.iter().filter_map(|variant_idx| self.numbers.get(*variant_idx).copied());
        let value = match (self.hit_policy, self.aggregator) {
            (HitPolicy::Collect, Aggregator::Sum) => numbers().reduce(Number::plus)?.to_raw()?,
            (HitPolicy::Collect, Aggregator::Min) => numbers().min_by(Number::compare)?.to_raw()?,
            (HitPolicy::Collect, Aggregator::Max) => numbers().max_by(Number::compare)?.to_raw()?,
            (HitPolicy::Collect, Aggregator::Count) => to_raw_value(&served.len()).ok()?,
            _ => list(&variants.iter().map(|variant| &*variant.content).collect::<Vec<_>>())?,
        };
        let keys: Vec<&str> = variants.iter().map(|variant| &*variant.key).collect();
        Some(Content { variant: Cow::Owned(keys.join("+")), value: Cow::Owned(value), variant_idx: None })
    }
}

/// The same on every node that shows the same.
fn fingerprint(experience: &Experience) -> u64 {
    let all = (experience.id, &experience.key, experience.status, &experience.definition);
    XxHash3_64::oneshot(&serde_json::to_vec(&all).unwrap_or_default())
}

fn list(contents: &[&RawValue]) -> Option<Box<RawValue>> {
    to_raw_value(contents).ok()
}

impl Number {
    fn of(content: &Value) -> Self {
        content.as_i64().map_or_else(|| Self::Float(content.as_f64().unwrap_or_default()), Self::Whole)
    }

    fn as_f64(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Float(float) => float,
        }
    }

    fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Whole(one), Self::Whole(other)) => Self::Whole(one.saturating_add(other)),
            (one, other) => Self::Float(one.as_f64() + other.as_f64()),
        }
    }

    fn compare(&self, other: &Self) -> std::cmp::Ordering {
        match (self, other) {
            (Self::Whole(one), Self::Whole(other)) => one.cmp(other),
            (one, other) => one.as_f64().total_cmp(&other.as_f64()),
        }
    }

    fn to_raw(self) -> Option<Box<RawValue>> {
        match self {
            Self::Whole(whole) => to_raw_value(&whole).ok(),
            Self::Float(float) => to_raw_value(&float).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::experience;
    use super::*;
    use serde_json::json;

    /// What a table serves whose three rules stand for `contents`, and where none of them hits.
    #[track_caller]
    fn check(policy: &Value, contents: &[Value; 3], expected: (&str, &str, &str)) {
        let mut definition = policy.clone();
        let key = |idx: usize| ["a", "b", "c"][idx];
        let variants =
            contents.iter().enumerate().map(|(idx, content)| json!({"key": key(idx), "content": content}));
        definition["variants"] = variants.collect();
        definition["rules"] = (0..3).map(|idx| json!({"key": key(idx), "serve": key(idx)})).collect();
        definition["fallback"] = json!("a");
        let compiled = Compiled::new(&experience("table", &definition), &[ExperimentId(-1); 4]);
        let content = compiled.content(&[1, 2]).unwrap();
        let found = (
            &*content.variant,
            content.value.get(),
            compiled.fallback().map(|own| own.value.get().to_owned()),
        );
        assert_eq!(found, (expected.0, expected.1, Some(expected.2.to_owned())), "{policy}");
    }

    #[test]
    fn what_hits_is_served_as_the_policy_says() {
        let texts = || [json!("A"), json!("B"), json!("C")];
        let numbers = || [json!(1), json!(8), json!(5)];
        let floats = || [json!(1), json!(8), json!(0.5)];
        check(&json!({}), &texts(), ("b", r#""B""#, r#""A""#));
        check(&json!({"hit_policy": "rule_order"}), &texts(), ("b+c", r#"["B","C"]"#, r#"["A"]"#));
        let collect = |aggregator: &str| json!({"hit_policy": "collect", "aggregator": aggregator});
        check(&json!({"hit_policy": "collect"}), &texts(), ("b+c", r#"["B","C"]"#, r#"["A"]"#));
        check(&collect("list"), &numbers(), ("b+c", "[8,5]", "[1]"));
        check(&collect("sum"), &numbers(), ("b+c", "13", "1"));
        check(&collect("sum"), &floats(), ("b+c", "8.5", "1.0"));
        check(&collect("min"), &numbers(), ("b+c", "5", "1"));
        check(&collect("min"), &floats(), ("b+c", "0.5", "1.0"));
        check(&collect("max"), &floats(), ("b+c", "8.0", "1.0"));
        check(&collect("count"), &texts(), ("b+c", "2", "0"));
    }

    #[test]
    fn who_closed_it_does_not_see_it_for_so_many_days() {
        let definition = json!({"variants": [{"key": "a", "content": "A"}], "fallback": "a", "dismiss_days": 2,
            "flag_key": "home"});
        let compiled = Compiled::new(&experience("banner", &definition), &[]);
        let at = |day: i64| Timestamp::from_micros(day * DAY_S * 1_000_000);
        for key in ["banner", "home"] {
            let closed = |other: &str| (other == key).then(|| at(1));
            assert!(compiled.is_hidden(closed, at(2)), "{key}");
            assert!(!compiled.is_hidden(closed, at(3)), "{key}");
        }
        assert!(!compiled.is_hidden(|key| (key == "other").then(|| at(1)), at(1)));
    }
}
