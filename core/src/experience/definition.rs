//! What a person registers, and the rules that hold between its fields.

use super::{Aggregator, HitPolicy};
use crate::audience::Condition;
use crate::experiment::{CHANNELS_MAX, MetricChoice};
use crate::fault::{Fault, Faults};
use crate::id::{ChannelKey, ExperimentKey, FlagKey, RuleKey, VariantKey};
use crate::money::Currency;
use crate::time::Timestamp;
use crate::value_type::{INTEGER_MAX, ValueType};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

const VARIANTS_MAX: usize = 128;
const RULES_MAX: usize = 100;
const DISMISS_DAYS: std::ops::RangeInclusive<u32> = 1..=365;

/// What may be shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Its name, unique in the experience.
    pub key: VariantKey,
    /// What people read; the key if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the client gets.
    pub content: Value,
    /// What is sent or shown on channels that need another form of it, by the channel's key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<ChannelKey, Value>,
}

/// Who gets what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name, unique in the experience; figures are kept under it.
    pub key: RuleKey,
    /// What people read; the key if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The condition; everyone if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Value>,
    /// The variant that is served …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serve: Option<VariantKey>,
    /// … or the experiment that decides what is: so whom the rule hits are a question of their own, with a winner of
    /// their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serve_experiment: Option<ExperimentKey>,
}

/// What a person registers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// What people read; the key if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The name a client asks for, which others may answer to as well; the experience's key if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag_key: Option<FlagKey>,
    /// What every content is; what the contents are by themselves if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_type: Option<ValueType>,
    /// What may be shown, 1 to 128.
    pub variants: Vec<Variant>,
    /// Who gets what, in this order; at most 100.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// What is served where no rule hits.
    pub fallback: VariantKey,
    /// What becomes of the rules that hit.
    #[serde(default)]
    pub hit_policy: HitPolicy,
    /// What is made of everything that is collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregator: Option<Aggregator>,
    /// Of several experiences on a flag the higher is asked first.
    #[serde(default)]
    pub priority: i32,
    /// From when on it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// From when on it is not shown any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// For how many days it is hidden from who closed it; closing it changes nothing if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dismiss_days: Option<u32>,
    /// What the conversions of each rule are counted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goal: Option<MetricChoice>,
    /// The currency that the goal counts money in.
    #[serde(default = "dollars")]
    pub currency: Currency,
    /// Whether pages, whose keys anybody can read, are not told of it.
    #[serde(default)]
    pub server_only: bool,
}

fn dollars() -> Currency {
    Currency::USD
}

impl Definition {
    /// Checks the rules between fields, and writes every content as the type that it is declared to be.
    ///
    /// # Errors
    ///
    /// Every [`Fault`] there is, in the order of the fields.
    pub fn checked(mut self) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        self.check_variants(&mut faults);
        self.check_contents(&mut faults);
        self.check_rules(&mut faults);
        self.check_policy(&mut faults);
        self.check_reach(&mut faults);
        if let Some(goal) = &self.goal {
            faults.add_below("/goal", goal.check());
        }
        faults.or(self)
    }

    /// The position of a variant.
    pub fn variant_idx(&self, key: &VariantKey) -> Option<usize> {
        self.variants.iter().position(|variant| variant.key == *key)
    }

    /// What a client gets: contents that are collected are a list, and how many they are is an integer.
    pub fn answer_type(&self) -> ValueType {
        match (self.hit_policy, self.aggregator.unwrap_or_default()) {
            (HitPolicy::RuleOrder, _) | (HitPolicy::Collect, Aggregator::List) => ValueType::Object,
            (HitPolicy::Collect, Aggregator::Count) => ValueType::Integer,
            _ => self.value_type.unwrap_or(ValueType::Object),
        }
    }

    fn check_variants(&self, faults: &mut Faults) {
        faults.check_text("/name", self.name.as_ref());
        let n_variants = self.variants.len();
        if !(1..=VARIANTS_MAX).contains(&n_variants) {
            let detail = format!("an experience has 1 to {VARIANTS_MAX} variants, this one {n_variants}");
            faults.add("/variants", detail);
        }
        let mut seen = HashSet::new();
        for (variant_idx, variant) in self.variants.iter().enumerate() {
            let pointer = format!("/variants/{variant_idx}");
            if !seen.insert(&variant.key) {
                let detail = format!("`{}` names two variants; keys are unique", variant.key);
                faults.add(format!("{pointer}/key"), detail);
            }
            faults.check_text(&format!("{pointer}/name"), variant.name.as_ref());
            if CHANNELS_MAX < variant.channels.len() {
                faults.add(format!("{pointer}/channels"), format!("at most {CHANNELS_MAX} channels"));
            }
        }
    }

    /// Settles the type of the contents and writes them so. Whole numbers among others are floats, too.
    fn check_contents(&mut self, faults: &mut Faults) {
        let own = |variant: &Variant| ValueType::of(&variant.content);
        let has_float = self.variants.iter().any(|variant| own(variant) == Some(ValueType::Float));
        let found = self.variants.iter().find_map(own);
        let found = found.map(|found| match found {
            ValueType::Integer if has_float => ValueType::Float,
            found => found,
        });
        let Some(value_type) = self.value_type.or(found) else {
            for variant_idx in 0..self.variants.len() {
                faults.add(format!("/variants/{variant_idx}/content"), "a content is not null");
            }
            return;
        };
        self.value_type = Some(value_type);
        for (variant_idx, variant) in self.variants.iter_mut().enumerate() {
            match value_type.checked(variant.content.take()) {
                Ok(content) => variant.content = content,
                Err(detail) => faults.add(format!("/variants/{variant_idx}/content"), detail),
            }
        }
    }

    fn check_rules(&self, faults: &mut Faults) {
        if RULES_MAX < self.rules.len() {
            faults.add("/rules", format!("at most {RULES_MAX} rules"));
        }
        let mut seen = HashSet::new();
        for (rule_idx, rule) in self.rules.iter().enumerate() {
            let pointer = format!("/rules/{rule_idx}");
            if !seen.insert(&rule.key) {
                faults.add(format!("{pointer}/key"), format!("`{}` names two rules", rule.key));
            }
            faults.check_text(&format!("{pointer}/name"), rule.name.as_ref());
            if let Some(when) = &rule.when {
                faults.add_below(&format!("{pointer}/when"), Condition::parse(when));
            }
            self.check_served(&pointer, rule, faults);
        }
        if self.variant_idx(&self.fallback).is_none() {
            faults.add("/fallback", unknown(&self.fallback));
        }
    }

    /// A rule serves one variant, or has one experiment decide.
    fn check_served(&self, pointer: &str, rule: &Rule, faults: &mut Faults) {
        match (&rule.serve, &rule.serve_experiment) {
            (Some(serve), None) if self.variant_idx(serve).is_none() => {
                faults.add(format!("{pointer}/serve"), unknown(serve));
            }
            (Some(_), None) => {}
            (None, Some(_)) if matches!(self.hit_policy, HitPolicy::First | HitPolicy::Unique) => {}
            (None, Some(_)) => {
                let detail = "with this hit policy several rules are served; `first` and `unique` serve one";
                faults.add(format!("{pointer}/serve_experiment"), detail);
            }
            (None, None) => {
                faults.add(format!("{pointer}/serve"), "a rule serves a variant, or an experiment");
            }
            (Some(_), Some(_)) => {
                faults.add(format!("{pointer}/serve_experiment"), "give this or `serve`, not both");
            }
        }
    }

    fn check_policy(&self, faults: &mut Faults) {
        let Some(aggregator) = self.aggregator else { return };
        if self.hit_policy != HitPolicy::Collect {
            faults.add("/aggregator", "only the hit policy `collect` has an aggregator");
        } else if aggregator.needs_numbers()
            && !matches!(self.value_type, Some(ValueType::Integer | ValueType::Float))
        {
            faults.add("/aggregator", "the contents are no numbers: use `list` or `count`");
        } else if aggregator == Aggregator::Sum {
            let content =
                |rule: &Rule| self.variants.get(self.variant_idx(rule.serve.as_ref()?)?)?.content.as_f64();
            let most: f64 = self.rules.iter().filter_map(content).map(f64::abs).sum();
            let is_exact = self.value_type == Some(ValueType::Float) || most <= INTEGER_MAX as f64;
            if !(most.is_finite() && is_exact) {
                faults.add("/aggregator", "the sum of all contents may be too large for clients");
            }
        }
    }

    fn check_reach(&self, faults: &mut Faults) {
        if let (Some(starts_at), Some(ends_at)) = (self.starts_at, self.ends_at)
            && ends_at <= starts_at
        {
            faults.add("/ends_at", "the end is after the start");
        }
        if self.dismiss_days.is_some_and(|days| !DISMISS_DAYS.contains(&days)) {
            faults.add("/dismiss_days", "1 to 365 days");
        }
    }
}

fn unknown(key: &VariantKey) -> String {
    format!("`{key}` is no variant of it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn definition(value: Value) -> Definition {
        serde_json::from_value(value).unwrap()
    }

    fn contents(contents: &[Value]) -> Definition {
        let variant = |(idx, content): (usize, &Value)| json!({"key": format!("v{idx}"), "content": content});
        let variants: Vec<_> = contents.iter().enumerate().map(variant).collect();
        definition(json!({"variants": variants, "fallback": "v0"}))
    }

    #[test]
    fn contents_say_themselves_what_they_are() {
        let checked = contents(&[json!(8), json!(8.5)]).checked().unwrap();
        assert_eq!(checked.value_type, Some(ValueType::Float));
        assert_eq!(checked.variants[0].content.to_string(), "8.0");
        let checked = contents(&[json!("a"), json!("b")]).checked().unwrap();
        assert_eq!(checked.value_type, Some(ValueType::String));
        let once_more = checked.clone().checked().unwrap();
        assert_eq!(once_more, checked, "what was checked is right");
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Value), pointers: &[&str]) {
        let mut wrong = json!({
            "variants": [{"key": "a", "content": "A"}, {"key": "b", "content": "B"}],
            "rules": [{"key": "r", "when": {"audience": "vips"}, "serve": "b"}],
            "fallback": "a",
        });
        change(&mut wrong);
        let faults = definition(wrong).checked().map(|_| ()).unwrap_err();
        let found: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(found, pointers);
    }

    #[test]
    fn every_fault_names_its_field() {
        check(|it| it["variants"] = json!([]), &["/variants", "/rules/0/serve", "/fallback"]);
        check(|it| it["variants"][1]["key"] = json!("a"), &["/variants/1/key", "/rules/0/serve"]);
        check(|it| it["variants"][1]["content"] = json!(8), &["/variants/1/content"]);
        check(|it| it["variants"][1]["content"] = json!(null), &["/variants/1/content"]);
        check(|it| it["value_type"] = json!("float"), &["/variants/0/content", "/variants/1/content"]);
        check(|it| it["fallback"] = json!("c"), &["/fallback"]);
        check(|it| it["rules"][0]["serve"] = json!("c"), &["/rules/0/serve"]);
        check(|it| it["rules"][0]["serve"] = json!(null), &["/rules/0/serve"]);
        check(|it| it["rules"][0]["serve_experiment"] = json!("e"), &["/rules/0/serve_experiment"]);
        check(
            |it| {
                it["rules"][0] = json!({"key": "r", "serve_experiment": "e"});
                it["hit_policy"] = json!("any");
            },
            &["/rules/0/serve_experiment"],
        );
        check(|it| it["rules"][0]["when"] = json!("x"), &["/rules/0/when"]);
        check(|it| it["rules"] = json!([it["rules"][0], it["rules"][0]]), &["/rules/1/key"]);
        check(|it| it["aggregator"] = json!("list"), &["/aggregator"]);
        check(|it| it["dismiss_days"] = json!(366), &["/dismiss_days"]);
        check(|it| it["dismiss_days"] = json!(0), &["/dismiss_days"]);
        check(|it| it["goal"] = json!({"metric": "aov", "window_s": 0}), &["/goal/window_s"]);
        check(
            |it| {
                it["starts_at"] = json!("2026-11-27T00:00:00Z");
                it["ends_at"] = json!("2026-11-27T00:00:00Z");
            },
            &["/ends_at"],
        );
        let collects = |it: &mut Value, aggregator: &str| {
            it["hit_policy"] = json!("collect");
            it["aggregator"] = json!(aggregator);
        };
        check(|it| collects(it, "sum"), &["/aggregator"]);
        check(
            |it| {
                collects(it, "sum");
                it["variants"] = json!([{"key": "a", "content": 2}, {"key": "b", "content": 1_i64 << 53}]);
                it["rules"] = json!([{"key": "r", "serve": "b"}, {"key": "s", "serve": "a"}]);
            },
            &["/aggregator"],
        );
    }

    #[test]
    fn what_is_collected_has_a_type_of_its_own() {
        let mut collected = contents(&[json!(8)]).checked().unwrap();
        assert_eq!(collected.answer_type(), ValueType::Integer);
        collected.hit_policy = HitPolicy::RuleOrder;
        assert_eq!(collected.answer_type(), ValueType::Object);
        collected.hit_policy = HitPolicy::Collect;
        assert_eq!(collected.answer_type(), ValueType::Object);
        collected.aggregator = Some(Aggregator::Max);
        assert_eq!(collected.answer_type(), ValueType::Integer);
    }
}
