//! The report as every surface shows it.

use super::compare::{Compared, ComparedVariant};
use super::estimate::{Estimate, LEVEL, Method, Range, fraction};
use super::health;
use super::input::{MetricFigures, ReportInput, Role, Rules};
use super::quotient::quotient;
use super::sentence::{self, Telling};
use super::state::{State, standing};
use crate::experiment::{Status, UnitKind};
use crate::id::{ExperimentKey, VariantKey};
use crate::metric::{Direction, MetricKind, ValueUnit};
use crate::money::Currency;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The winner report of one experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The experiment's key.
    pub experiment: ExperimentKey,
    /// Its version; each has figures of its own.
    pub version: u32,
    /// What people read.
    pub name: String,
    /// Why it is run.
    pub description: Option<String>,
    /// What must be known of the data before the figures: `simulated`, an attribution.
    pub source_note: Option<String>,
    /// Where the experiment stands.
    pub status: Status,
    /// How far the evidence goes, by the primary metric.
    pub state: State,
    /// The variant that leads, if the state is `leading`.
    pub leader: Option<VariantKey>,
    /// What may be quoted.
    pub sentence: String,
    /// Whom we randomize.
    pub unit: UnitKind,
    /// How weights follow from what is learned.
    pub allocator: String,
    /// The currency of every amount; amounts are minor units of it.
    pub currency: Currency,
    /// When the report was made.
    pub generated_at: Timestamp,
    /// The latest time that an event counted here happened at.
    pub as_of: Option<Timestamp>,
    /// The last position of the log that is counted.
    pub watermark: i64,
    /// The weights version in force; none before the first.
    pub weights_version: Option<u32>,
    /// When it first started.
    pub started_at: Option<Timestamp>,
    /// When it was concluded.
    pub concluded_at: Option<Timestamp>,
    /// When the first unit was exposed.
    pub first_exposed_at: Option<Timestamp>,
    /// When the last unit was exposed.
    pub last_exposed_at: Option<Timestamp>,
    /// What counts as enough.
    pub rules: Rules,
    /// Whether the figures can be trusted.
    pub health: Health,
    /// The variants, in the order of the definition.
    pub variants: Vec<VariantSummary>,
    /// The primary metric, then the secondaries, then the guardrails.
    pub metrics: Vec<MetricReport>,
}

/// Whether the figures can be trusted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Units exposed to any variant.
    pub units: u64,
    /// Those whose window for the primary metric has passed.
    pub matured_units: u64,
    /// `matured_units / units`; none without units.
    pub matured_share: Option<f64>,
    /// Units seen in two variants, which count in none.
    pub quarantined_units: u64,
    /// From the first exposure to the latest event, in seconds.
    pub run_s: i64,
    /// What a reader must know, worst first.
    pub warnings: Vec<Warning>,
}

/// Something a reader must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// What it is, for programs.
    pub code: WarningCode,
    /// What it is, for people.
    pub message: String,
}

/// What a warning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WarningCode {
    /// No loaded plugin offers the metric; its figures stand still.
    MetricUnavailable,
    /// The stored sums contradict each other.
    SumsContradict,
    /// Too many units were seen in two variants.
    Quarantine,
    /// A metric could not tell the value of some units.
    UnreadableUnits,
    /// A ratio decides, and no amount per unit stands beside it.
    RatioAlone,
}

/// One variant, whatever the metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VariantSummary {
    /// Its key.
    pub key: VariantKey,
    /// What people read.
    pub name: String,
    /// Whether it is what the others are compared with.
    pub control: bool,
    /// Whether it was taken out.
    pub removed: bool,
    /// The probability that a unit gets it, under the weights in force; none before there are any.
    pub weight: Option<f64>,
    /// Units exposed to it.
    pub units: u64,
    /// Those whose window for the primary metric has passed.
    pub matured_units: u64,
}

/// One metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricReport {
    /// The id a plugin gave it.
    pub metric: String,
    /// What people read.
    pub title: String,
    /// What it is for.
    pub role: Role,
    /// What sort of number it yields.
    pub kind: MetricKind,
    /// What it counts in.
    pub unit: ValueUnit,
    /// The currency, if it counts in minor units of one.
    pub currency: Option<Currency>,
    /// Which way is better.
    pub direction: Direction,
    /// How long after its first exposure a unit's events count, in seconds.
    pub window_s: i64,
    /// Whether a loaded plugin offers it.
    pub available: bool,
    /// Exposed units whose value it could not tell; they are in no figure.
    pub unreadable_units: u64,
    /// The variants, in the order of the definition.
    pub variants: Vec<VariantReport>,
}

/// One variant in one metric.
///
/// `units`, `numerator`, `denominator` and `value` count every exposed unit as observed so far. Everything else is
/// inferred from matured units, whose window has passed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VariantReport {
    /// The variant's key.
    pub key: VariantKey,
    /// Exposed units.
    pub units: i64,
    /// Of these, units whose numerator is not zero.
    pub nonzero_units: i64,
    /// The sum over the units, in the metric's unit (minor units for money).
    pub numerator: i128,
    /// What it is divided by: the denominators' sum for ratios, else the units.
    pub denominator: i128,
    /// `numerator / denominator`, rounded once; none where the denominator is 0.
    pub value: Option<f64>,
    /// Units whose window has passed.
    pub matured_units: i64,
    /// Of these, units whose numerator is not zero.
    pub matured_nonzero_units: i64,
    /// The numerator over matured units.
    pub matured_numerator: i128,
    /// The denominator over matured units.
    pub matured_denominator: i128,
    /// `matured_numerator / matured_denominator`.
    pub matured_value: Option<f64>,
    /// Where the true value is believed to be.
    pub interval: Option<Interval>,
    /// The chance that it is the best of the variants that may still be served.
    pub chance_best: Option<f64>,
    /// What serving it loses per unit if another is better, in the metric's unit.
    pub expected_loss: Option<f64>,
    /// The chance that it is better than the control; none for the control.
    pub chance_to_beat_control: Option<f64>,
    /// How it differs from the control; none for the control.
    pub lift: Option<Lift>,
}

/// An interval in the metric's unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The share of belief between them.
    pub level: f64,
    /// How it was made.
    pub method: Method,
}

/// How a variant differs from the control, over matured units.
///
/// An interval is absent where none can be trusted: fewer than ten rewards, or figures that are not positive.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lift {
    /// `value / control − 1`; none unless both are positive.
    pub relative: Option<f64>,
    /// The lower end of `relative`.
    pub low: Option<f64>,
    /// The upper end of `relative`.
    pub high: Option<f64>,
    /// How the interval of `relative` was made.
    pub method: Option<Method>,
    /// `value − control`, in the metric's unit.
    pub absolute: f64,
    /// The lower end of `absolute`.
    pub absolute_low: Option<f64>,
    /// The upper end of `absolute`.
    pub absolute_high: Option<f64>,
    /// How the interval of `absolute` was made.
    pub absolute_method: Option<Method>,
    /// The share of repetitions in which each interval holds the truth, for one look planned beforehand.
    pub level: f64,
}

impl Report {
    /// Makes the report.
    pub fn of(input: &ReportInput<'_>) -> Self {
        let experiment = input.experiment;
        let definition = &experiment.definition;
        let compared: Vec<_> = input.metrics.iter().map(|metric| Compared::of(definition, metric)).collect();
        let run_s = match (input.first_exposed_at, input.watermark.at.or(input.last_exposed_at)) {
            (Some(first), Some(last)) => (last.as_micros() - first.as_micros()).max(0) / 1_000_000,
            _ => 0,
        };
        let primary = compared.first();
        let standing = primary.map(|primary| standing(primary, run_s, experiment.status, &input.rules));
        let metrics: Vec<_> = input
            .metrics
            .iter()
            .zip(&compared)
            .map(|(metric, compared)| MetricReport::of(input, metric, compared))
            .collect();
        let variants = summaries(input);
        let health = health::health(input, &compared, run_s);
        let telling = Telling { input, variants: &variants, metrics: &metrics, run_s };
        let sentence = sentence::sentence(&telling, standing.as_ref());
        let state = standing.map_or(State::Collecting, |standing| standing.state);
        let leader_idx = standing.and_then(|standing| standing.front_idx).filter(|_| state == State::Leading);
        Self {
            experiment: experiment.key.clone(),
            version: experiment.version,
            name: definition.name.clone().unwrap_or_else(|| experiment.key.to_string()),
            description: definition.description.clone(),
            source_note: input.source_note.clone(),
            status: experiment.status,
            state,
            leader: leader_idx.map(|leader_idx| definition.variants[leader_idx].key.clone()),
            sentence,
            unit: definition.unit,
            allocator: definition.allocator.allocator.name().to_owned(),
            currency: definition.currency,
            generated_at: input.now,
            as_of: input.watermark.at,
            watermark: input.watermark.position,
            weights_version: input.weights.as_ref().map(|weights| weights.version),
            started_at: experiment.started_at,
            concluded_at: experiment.concluded_at,
            first_exposed_at: input.first_exposed_at,
            last_exposed_at: input.last_exposed_at,
            rules: input.rules,
            health,
            variants,
            metrics,
        }
    }

    /// The metric that decides.
    pub fn primary(&self) -> Option<&MetricReport> {
        self.metrics.iter().find(|metric| metric.role == Role::Primary)
    }
}

fn summaries(input: &ReportInput<'_>) -> Vec<VariantSummary> {
    let variants = input.experiment.definition.variants.iter().enumerate();
    let summary = |(variant_idx, variant): (usize, &crate::experiment::Variant)| {
        let exposures = input.exposures.get(variant_idx).copied().unwrap_or_default();
        let weights = input.weights.as_ref();
        VariantSummary {
            key: variant.key.clone(),
            name: variant.title().to_owned(),
            control: variant.control,
            removed: !variant.is_active(),
            weight: weights.map(|weights| weights.shares.get(variant_idx).copied().unwrap_or(0.0)),
            units: exposures.observed,
            matured_units: exposures.matured,
        }
    };
    variants.map(summary).collect()
}

impl MetricReport {
    fn of(input: &ReportInput<'_>, metric: &MetricFigures, compared: &Compared) -> Self {
        let definition = &input.experiment.definition;
        let control_idx = definition.control_idx();
        let control = compared.variants.get(control_idx).and_then(|control| control.estimate);
        let variants = definition.variants.iter().zip(&compared.variants).enumerate();
        let report = |(variant_idx, (variant, compared)): (usize, (&crate::experiment::Variant, _))| {
            let control = control.filter(|_| variant_idx != control_idx);
            VariantReport::of(variant.key.clone(), metric.kind, compared, control)
        };
        Self {
            metric: metric.choice.metric.clone(),
            title: metric.title.clone(),
            role: metric.role,
            kind: metric.kind,
            unit: metric.unit,
            currency: (metric.unit == ValueUnit::CurrencyMinor).then_some(definition.currency),
            direction: metric.direction,
            window_s: metric.window_s,
            available: metric.available,
            unreadable_units: metric.unreadable_units,
            variants: variants.map(report).collect(),
        }
    }
}

impl VariantReport {
    fn of(key: VariantKey, kind: MetricKind, compared: &ComparedVariant, control: Option<Estimate>) -> Self {
        let (numerator, denominator) = fraction(kind, &compared.observed);
        let (matured_numerator, matured_denominator) = fraction(kind, &compared.matured);
        let lift = compared.estimate.zip(control).map(|(estimate, control)| Lift::of(&estimate, &control));
        Self {
            key,
            units: compared.observed.n,
            nonzero_units: compared.observed.n_nonzero,
            numerator,
            denominator,
            value: quotient(numerator, denominator),
            matured_units: compared.matured.n,
            matured_nonzero_units: compared.matured.n_nonzero,
            matured_numerator,
            matured_denominator,
            matured_value: quotient(matured_numerator, matured_denominator),
            interval: compared.interval.map(Interval::from),
            chance_best: compared.chance_best.map(f64::from),
            expected_loss: compared.expected_loss,
            chance_to_beat_control: compared.chance_to_beat_control.map(f64::from),
            lift,
        }
    }
}

impl From<Range> for Interval {
    fn from(range: Range) -> Self {
        Self { low: range.low, high: range.high, level: LEVEL, method: range.method }
    }
}

impl Lift {
    fn of(estimate: &Estimate, control: &Estimate) -> Self {
        let relative =
            estimate.relative_to(control).filter(|range| range.low.is_finite() && range.high.is_finite());
        let absolute = estimate.difference_from(control);
        let positive = 0.0 < estimate.value && 0.0 < control.value;
        Self {
            relative: positive.then(|| (estimate.value - control.value) / control.value),
            low: relative.map(|range| range.low),
            high: relative.map(|range| range.high),
            method: relative.map(|range| range.method),
            absolute: estimate.value - control.value,
            absolute_low: absolute.map(|range| range.low),
            absolute_high: absolute.map(|range| range.high),
            absolute_method: absolute.map(|range| range.method),
            level: LEVEL,
        }
    }
}
