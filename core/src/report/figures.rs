//! The report as every surface shows it.

use super::estimate::Method;
use super::inferred::{Cap, Corrected, Factors, History, Monthly, Outlook, SampleRatio, Sequence};
use super::input::{Role, Rules};
use super::state::State;
use super::verdict::Verdict;
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
    /// What the data decides.
    pub verdict: Verdict,
    /// What may be quoted.
    pub sentence: String,
    /// How far the run is, and how long it still takes.
    pub outlook: Outlook,
    /// What serving the leader to everyone should bring a month; none before there is a winner, and where no metric
    /// counts money per unit.
    pub monthly: Option<Monthly>,
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
    /// Whether variants got the units that their weights say; none where the weights are not known.
    pub sample_ratio: Option<SampleRatio>,
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
    /// The largest values of a metric should be cut off, and could not be.
    NotCapped,
    /// A ratio decides, and no amount per unit stands beside it.
    RatioAlone,
    /// Variants did not get the units that their weights say.
    SampleRatio,
    /// No event that a metric reads has come for a day, while units were exposed.
    StaleGoal,
    /// One day had far more units than the others.
    Burst,
    /// The lead was another one at first.
    Novelty,
    /// It runs in the shadow: nobody is shown anything of it.
    Shadow,
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
    /// What moving the traffic earned; none where weights do not move, and for ratios.
    pub gain: Option<Gain>,
    /// What all units earned beyond what the control would have earned; none for ratios.
    pub gain_over_control: Option<Gain>,
    /// Where values are cut off for all inference; none where they are not.
    pub cap: Option<Cap>,
    /// What the units' own past takes off the noise; none where it is not used.
    pub history: Option<History>,
    /// Main and two-way effects of an experiment with factors.
    pub factors: Option<Factors>,
    /// The variants, in the order of the definition.
    pub variants: Vec<VariantReport>,
}

/// What all units earned beyond what an equal split would have earned, in the metric's unit (for proportions, units
/// with a result). Positive is good, whichever way is better.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gain {
    /// The gain.
    pub value: f64,
    /// The lower end of its interval; none where it cannot be trusted.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// The share of repetitions whose interval holds the truth.
    pub level: f64,
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
    /// Whether it has the matured units and rewards that [`Rules`] ask for; below that, a chance is hearsay.
    pub enough: bool,
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
    /// The same with an interval that holds however often one looks; it decides. None for the control, and before
    /// there is enough.
    pub sequence: Option<Sequence>,
    /// `matured_value` with the largest values cut off, as all inference sees it; none where nothing is.
    pub capped_value: Option<f64>,
    /// The mean with every period weighted alike for all variants, so that none is favored by when it had more units;
    /// none where the variants have no period in common.
    pub period_value: Option<f64>,
    /// The mean with the effect of moving weights taken out; none where weights do not move, and for ratios.
    pub corrected: Option<Corrected>,
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
