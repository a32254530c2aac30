//! What a person registers, and the rules that hold between its fields.

use super::metric_choice::WINDOW_S_MAX;
use super::{Automation, MetricChoice, Variant};
use crate::allocation::{Allocator, AllocatorConfig, Fixed};
use crate::fault::{Fault, Faults, TEXT_LENGTH_MAX};
use crate::id::{FlagKey, GroupKey};
use crate::money::Currency;
use crate::posterior::VARIANTS_MAX;
use crate::time::Timestamp;
use crate::value_type::ValueType;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashSet;

/// The most metrics that an experiment reports beside the one that decides, and the most guardrails.
pub const METRICS_MAX: usize = 20;
/// The most channels on which a variant has a content of its own.
pub(crate) const CHANNELS_MAX: usize = 20;
const FACTORS_MAX: usize = 8;
const PLANNED_UNITS: std::ops::RangeInclusive<u64> = 100..=1_000_000_000_000;

/// Whom we randomize.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UnitKind {
    /// A person, by the id the shop gave them.
    #[default]
    User,
    /// A browser or phone.
    Device,
    /// A visit.
    Session,
    /// A single request.
    Request,
}

/// What becomes of a unit's variant when weights move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stickiness {
    /// The first assignment is kept.
    #[default]
    Sticky,
    /// The unit follows the weights; as few units move as must.
    Rebalance,
    /// Every decision is drawn anew, with the decision id as the unit.
    PerDecision,
}

/// What makes an assignment an exposure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExposureSource {
    /// The decision itself.
    #[default]
    Decision,
    /// Only the event `Experiment Viewed`.
    Event,
}

/// A share of a group whose experiments never share a unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExclusionGroup {
    /// Which group.
    pub key: GroupKey,
    /// How much of the group's units this experiment may have, `0 < share <= 1`.
    pub share: f64,
    /// Where its slot begins in the group, `0 <= start <= 1 - share`; the server finds a free one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<f64>,
}

/// When it starts and ends by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// When it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<Timestamp>,
    /// When it is concluded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_at: Option<Timestamp>,
}

/// What a person registers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// What people read; the key if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Why it is run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The name a client asks for; the experiment's key if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag_key: Option<FlagKey>,
    /// What sort of value every content is, for typed clients; that of the control's content if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_type: Option<ValueType>,
    /// Whether only a server's key is told of it, and no page.
    #[serde(default)]
    pub server_only: bool,
    /// Whether it runs in the shadow: units are assigned, and all get the control.
    #[serde(default)]
    pub shadow: bool,
    /// Who may be in it, as a condition on shoppers; everyone if absent. The others get the control.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Value>,
    /// Whether it is the global holdout: while it runs, who is in its control gets no treatment of anything else.
    #[serde(default)]
    pub holdout: bool,
    /// Whom we randomize.
    #[serde(default)]
    pub unit: UnitKind,
    /// The arms, 2 to 128.
    pub variants: Vec<Variant>,
    /// The metric that decides.
    pub primary_metric: MetricChoice,
    /// Metrics that are reported beside it.
    #[serde(default)]
    pub secondary_metrics: Vec<MetricChoice>,
    /// Metrics that must not get worse.
    #[serde(default)]
    pub guardrail_metrics: Vec<MetricChoice>,
    /// How weights follow from what is learned; the variants' weights as they are if absent.
    #[serde(default = "fixed_split")]
    pub allocator: AllocatorConfig,
    /// How many units are assigned under one weights version before the next, 10 to 1,000,000; more once they are
    /// less than a hundredth of all so far. A version also ends after a day, and lives a second at least.
    #[serde(default = "units_per_version")]
    pub units_per_version: u32,
    /// What becomes of a unit's variant when weights move.
    #[serde(default)]
    pub stickiness: Stickiness,
    /// What makes an assignment an exposure.
    #[serde(default)]
    pub exposure: ExposureSource,
    /// The share of units that are in it, `0 <= traffic <= 1`.
    #[serde(default = "everyone")]
    pub traffic: f64,
    /// The group whose experiments never share a unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclusion_group: Option<ExclusionGroup>,
    /// The currency its money is counted in; orders in others are left out of money metrics, and counted.
    #[serde(default = "dollars")]
    pub currency: Currency,
    /// What its hashes begin with; made from the key if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// When it starts and ends by itself.
    #[serde(default)]
    pub schedule: Schedule,
    /// The shortest run before the report speaks of a lead, in seconds; whole weeks are advised.
    #[serde(default = "a_week")]
    pub min_run_s: i64,
    /// For how many units it is planned, all variants together: where its intervals are narrowest, and beyond one and
    /// a half times of which it ends undecided. From the margin of the primary metric if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_units: Option<u64>,
    /// What is done without a person once there is a verdict.
    #[serde(default)]
    pub automation: Automation,
    /// What a reader must know of the data before the figures: that it is simulated, whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_note: Option<String>,
}

fn fixed_split() -> AllocatorConfig {
    AllocatorConfig::new(Allocator::Fixed(Fixed))
}

fn units_per_version() -> u32 {
    500
}

fn a_week() -> i64 {
    7 * 86_400
}

fn everyone() -> f64 {
    1.0
}

fn dollars() -> Currency {
    Currency::USD
}

impl Definition {
    /// Checks the rules between fields and marks the first variant as control if none is marked.
    ///
    /// # Errors
    ///
    /// Every [`Fault`] there is, in the order of the fields.
    pub fn checked(mut self) -> Result<Self, Vec<Fault>> {
        if !self.variants.iter().any(|variant| variant.control)
            && let Some(first) = self.variants.first_mut()
        {
            first.control = true;
        }
        let mut faults = Faults::default();
        self.check_texts(&mut faults);
        self.check_variants(&mut faults);
        self.check_contents(&mut faults);
        self.check_metrics(&mut faults);
        self.check_reach(&mut faults);
        self.check_when(&mut faults);
        self.check_holdout(&mut faults);
        self.check_allocator(&mut faults);
        faults.or(self)
    }

    /// The position of the control.
    pub fn control_idx(&self) -> usize {
        self.variants.iter().position(|variant| variant.control).unwrap_or(0)
    }

    /// Whether weights move.
    pub fn is_adaptive(&self) -> bool {
        !matches!(self.allocator.allocator, Allocator::Fixed(_))
    }

    /// Every metric it looks at: the primary, the secondaries, the guardrails.
    pub fn metrics(&self) -> impl Iterator<Item = &MetricChoice> {
        std::iter::once(&self.primary_metric).chain(&self.secondary_metrics).chain(&self.guardrail_metrics)
    }

    fn check_texts(&self, faults: &mut Faults) {
        let texts = [
            ("/name", &self.name),
            ("/description", &self.description),
            ("/salt", &self.salt),
            ("/source_note", &self.source_note),
        ];
        for (pointer, text) in texts {
            faults.check_text(pointer, text.as_ref());
        }
    }

    fn check_variants(&self, faults: &mut Faults) {
        let n_variants = self.variants.len();
        if !(2..=VARIANTS_MAX).contains(&n_variants) {
            faults.add(
                "/variants",
                format!("an experiment has 2 to {VARIANTS_MAX} variants, this one {n_variants}"),
            );
        }
        let mut seen = HashSet::new();
        let mut n_controls = 0;
        for (variant_idx, variant) in self.variants.iter().enumerate() {
            if !seen.insert(&variant.key) {
                let detail =
                    format!("`{}` names two variants; keys are unique in an experiment", variant.key);
                faults.add(format!("/variants/{variant_idx}/key"), detail);
            }
            if !(variant.weight.is_finite() && 0.0 <= variant.weight) {
                faults.add(format!("/variants/{variant_idx}/weight"), "a weight is a number >= 0");
            }
            faults.check_text(&format!("/variants/{variant_idx}/name"), variant.name.as_ref());
            if CHANNELS_MAX < variant.channels.len() {
                faults.add(
                    format!("/variants/{variant_idx}/channels"),
                    format!("at most {CHANNELS_MAX} channels"),
                );
            }
            self.check_levels(variant_idx, variant, faults);
            n_controls += u32::from(variant.control);
            if n_controls == 2 && variant.control {
                faults.add(format!("/variants/{variant_idx}/control"), "one variant is the control, not two");
            }
        }
        let sum: f64 =
            self.variants.iter().filter(|variant| variant.is_active()).map(|variant| variant.weight).sum();
        let is_share = 0.0 < sum && sum.is_finite();
        if !is_share && !self.variants.is_empty() {
            faults.add("/variants", "at least one weight is positive, and their sum is finite");
        }
    }

    /// A variant has a level of each factor that the first one has, and of no other.
    fn check_levels(&self, variant_idx: usize, variant: &Variant, faults: &mut Faults) {
        let pointer = format!("/variants/{variant_idx}/levels");
        if FACTORS_MAX < variant.levels.len() {
            faults.add(pointer, format!("at most {FACTORS_MAX} factors"));
        } else if variant.levels.iter().flat_map(|(factor, level)| [factor, level]).any(|text| {
            let length = text.len();
            !(1..=TEXT_LENGTH_MAX).contains(&length)
        }) {
            faults.add(pointer, format!("a factor and a level have a name of 1 to {TEXT_LENGTH_MAX} bytes"));
        } else if let Some(first) = self.variants.first()
            && !first.levels.keys().eq(variant.levels.keys())
        {
            faults.add(pointer, "every variant has a level of each factor, or none has any");
        }
    }

    fn check_metrics(&self, faults: &mut Faults) {
        let lists = [
            ("/secondary_metrics", &self.secondary_metrics),
            ("/guardrail_metrics", &self.guardrail_metrics),
        ];
        let mut all = vec![("/primary_metric".to_owned(), &self.primary_metric)];
        for (pointer, list) in lists {
            if list.len() > METRICS_MAX {
                faults.add(pointer, format!("at most {METRICS_MAX} metrics"));
            }
            all.extend(
                list.iter()
                    .enumerate()
                    .map(|(metric_idx, choice)| (format!("{pointer}/{metric_idx}"), choice)),
            );
        }
        for (idx, (pointer, choice)) in all.iter().enumerate() {
            faults.add_below(pointer, choice.check());
            if all.iter().take(idx).any(|(_, earlier)| earlier == choice) {
                faults.add(
                    pointer.clone(),
                    format!("`{}` is listed twice with the same settings", choice.metric),
                );
            }
        }
    }

    fn check_allocator(&self, faults: &mut Faults) {
        let active: Vec<_> = self.variants.iter().filter(|variant| variant.is_active()).collect();
        let control_idx = active.iter().position(|variant| variant.control);
        if self.is_adaptive()
            && let Err(too_high) = self.allocator.floors.resolve(active.len().max(1), control_idx)
        {
            faults.add("/allocator/floor", too_high.to_string());
        }
        if !(10..=1_000_000).contains(&self.units_per_version) {
            faults.add("/units_per_version", "10 to 1,000,000 units");
        }
    }

    fn check_reach(&self, faults: &mut Faults) {
        if !(0.0..=1.0).contains(&self.traffic) {
            faults.add("/traffic", "a share of units, 0 to 1");
        }
        if let Some(group) = &self.exclusion_group {
            if !(0.0 < group.share && group.share <= 1.0) {
                faults.add("/exclusion_group/share", "a share of the group's units, above 0 and at most 1");
            }
            if group.start.is_some_and(|start| !(0.0 <= start && start + group.share <= 1.0 + 1e-12)) {
                faults.add("/exclusion_group/start", "the slot start..start+share lies within 0..1");
            }
        }
        if !(0..=WINDOW_S_MAX).contains(&self.min_run_s) {
            faults.add("/min_run_s", format!("0 to {WINDOW_S_MAX} seconds"));
        }
        if self.planned_units.is_some_and(|planned_units| !PLANNED_UNITS.contains(&planned_units)) {
            faults.add("/planned_units", "100 to 1,000,000,000,000 units");
        }
        if let Schedule { start_at: Some(start_at), end_at: Some(end_at) } = self.schedule
            && end_at <= start_at
        {
            faults.add("/schedule/end_at", "the end is after the start");
        }
    }
}
