//! What a report is made of.

use crate::experiment::{Experiment, MetricChoice};
use crate::inference::strata::{MetricStratum, TailUnit};
use crate::metric::{Direction, MetricKind, ValueUnit, VariantSums};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Everything a report is made of. Lists per variant are in the order of the definition; what a list lacks counts
/// as nothing.
#[derive(Clone, Debug)]
pub struct ReportInput<'a> {
    /// What was asked, and where it stands.
    pub experiment: &'a Experiment,
    /// When the report is made.
    pub now: Timestamp,
    /// How far the log has been read.
    pub watermark: Watermark,
    /// Units exposed to each variant.
    pub exposures: Vec<Exposures>,
    /// The same stratum by stratum, in the order of time.
    pub exposure_strata: Vec<ExposureStratum>,
    /// Units first exposed on each UTC day, over all variants: the day, in days since 1970, and how many. In the
    /// order of time; a day without units is not in it.
    pub daily_units: Vec<(i64, u64)>,
    /// Units that each variant would have got, had the units of every stratum been split equally among the variants
    /// that were in the test then.
    pub equal_units: Vec<f64>,
    /// When the first unit was exposed.
    pub first_exposed_at: Option<Timestamp>,
    /// When the last unit was exposed.
    pub last_exposed_at: Option<Timestamp>,
    /// Units seen in two variants, which count in none.
    pub quarantined_units: u64,
    /// The weights in force; none before there are any.
    pub weights: Option<CurrentWeights>,
    /// The primary metric, then the secondaries, then the guardrails.
    pub metrics: Vec<MetricFigures>,
    /// What a reader must know of the data before the figures: `simulated`, an attribution.
    pub source_note: Option<String>,
    /// What is enough.
    pub rules: Rules,
}

/// How far the log has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watermark {
    /// The last position that is counted.
    pub position: i64,
    /// The latest time that an event counted here happened at.
    pub at: Option<Timestamp>,
}

/// Units exposed to one variant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposures {
    /// All of them.
    pub observed: u64,
    /// Those whose window for the primary metric has passed.
    pub matured: u64,
}

/// The exposed units of one stratum, matured or not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExposureStratum {
    /// When its first unit was exposed (to within a bucket).
    pub began_at: Timestamp,
    /// The probability of each variant under the stratum's weights, as in [`MetricStratum::shares`].
    pub shares: Option<Vec<f64>>,
    /// The units of each variant; those in quarantine are in none.
    pub units: Vec<u64>,
}

/// The weights in force.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CurrentWeights {
    /// Which weights version.
    pub version: u32,
    /// The probability of each variant; 0 for a removed one.
    pub shares: Vec<f64>,
}

/// What a metric is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It decides.
    Primary,
    /// It is reported beside.
    Secondary,
    /// It must not get worse.
    Guardrail,
}

impl Role {
    /// The role as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
            Self::Guardrail => "guardrail",
        }
    }
}

/// One metric with its sums.
#[derive(Clone, Debug)]
pub struct MetricFigures {
    /// What the experiment wants of it.
    pub choice: MetricChoice,
    /// What it is for.
    pub role: Role,
    /// What people read, such as `Average order value`.
    pub title: String,
    /// What sort of number it yields.
    pub kind: MetricKind,
    /// What it counts in.
    pub unit: ValueUnit,
    /// Which way is better, after the experiment's own wish.
    pub direction: Direction,
    /// How long after its first exposure a unit's events count, in seconds.
    pub window_s: i64,
    /// Whether a loaded plugin offers it. If not, its figures stand still.
    pub available: bool,
    /// Exposed units whose value the metric could not tell; they are in no sum.
    pub unreadable_units: u64,
    /// The sums of each variant.
    pub variants: Vec<VariantFigures>,
    /// The matured units stratum by stratum, in the order of time; their sums over strata are the matured sums of
    /// `variants`.
    pub strata: Vec<MetricStratum>,
    /// The largest values of units, matured or not, from the largest down: as many as
    /// `cap_quantile` needs. Empty where nothing is capped, and where they are too many to read: nothing is capped then
    /// either, and the report warns.
    pub tail: Vec<TailUnit>,
    /// The quantile of the values that are not zero above which values are capped: the experiment's, else the metric's
    /// own; 1 where nothing is.
    pub cap_quantile: f64,
    /// Exposed units whose numerator is not zero, matured or not.
    pub n_nonzero: u64,
    /// When the newest event happened that the metric reads, of any unit of the project, to the minute. None if there
    /// was none since the metric is in use.
    pub last_event_at: Option<Timestamp>,
}

/// The sums of one variant for one metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VariantFigures {
    /// Over all exposed units, as observed so far.
    pub observed: VariantSums,
    /// Over the units whose window has passed.
    pub matured: VariantSums,
}

/// What is enough to compare at all, and to speak of a lead.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// Matured units that every active variant needs.
    pub units_min: i64,
    /// Of these, units whose reward is not zero.
    pub nonzero_min: i64,
    /// Time from the first exposure to the latest event, in seconds.
    pub run_s_min: i64,
    /// The chance to be best from which a variant is said to lead.
    pub leading_chance: f64,
}

impl Default for Rules {
    fn default() -> Self {
        Self { units_min: 100, nonzero_min: 25, run_s_min: 7 * 86_400, leading_chance: 0.8 }
    }
}

impl Rules {
    /// Whether a variant with these matured sums has enough units and rewards to be compared.
    pub fn are_met_by(&self, matured: &VariantSums) -> bool {
        self.units_min <= matured.n && self.nonzero_min <= matured.n_nonzero
    }
}
