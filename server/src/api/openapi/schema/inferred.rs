//! What a report infers and decides.

use super::Key;
use utoipa::ToSchema;

/// A guardrail whose metric is worse under a variant than under the control, by more than its margin.
#[derive(ToSchema)]
struct Breach {
    /// The variant.
    variant: Key,
    /// The guardrail's metric.
    metric: String,
}

/// Why no verdict is spoken: the primary metric has no figures; too few matured units, rewards or strata; a run that is
/// too short; variants did not get the units that their weights say; too many units were seen in two variants.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum Withheld {
    Metric,
    TooFew,
    ShortRun,
    SampleRatio,
    Quarantine,
}

/// What the data decides, at an error that holds however often one looks: with all variants equal, at most 5 % of
/// experiments ever have a winner, or a variant that is better or worse than the control. It is taken back when the
/// evidence turns.
#[derive(ToSchema)]
pub(super) struct Verdict {
    /// The variant that is better than every other one that may still be served.
    #[schema(required = true)]
    winner: Option<Key>,
    /// Variants that are better than the control.
    better: Vec<Key>,
    /// Variants that are worse than the control.
    harmful: Vec<Key>,
    /// Guardrails that are breached, each by one variant.
    breaches: Vec<Breach>,
    /// What keeps a verdict from being spoken; with any of these all else is empty, but for breaches, which only
    /// `sample_ratio` keeps back.
    withheld: Vec<Withheld>,
}

/// How far a run is, and how long it still takes.
#[derive(ToSchema)]
pub(super) struct Outlook {
    /// Units the run is planned for, all variants together.
    planned_units: u64,
    /// Units a day, over the seven whole days before the last unit came; over the run where it is shorter.
    #[schema(required = true)]
    units_per_day: Option<f64>,
    /// Days until the variant in front wins if it stays as far in front, the shortest run included; none where there is
    /// a winner, where the run does not go on or no unit has come for two days, before there is enough to compare, and
    /// where no end is in sight.
    #[schema(required = true)]
    days_left: Option<f64>,
}

/// What serving one variant to everyone should bring a month of 30.44 days, beyond what the control brings.
#[derive(ToSchema)]
pub(super) struct Monthly {
    /// The variant.
    variant: Key,
    /// The metric that counts the money.
    metric: String,
    /// Units a month, by the traffic of the run, if all were served.
    units: f64,
    /// The amount, in minor units. Positive is good: where less is better, it is what is saved.
    value: f64,
    /// The lower end, by the interval that holds at all looks.
    low: f64,
    /// The upper end.
    high: f64,
}

/// Whether variants got the units that their weights say.
#[derive(ToSchema)]
pub(super) struct SampleRatio {
    /// The natural log of the evidence against the weights: by how much it is more likely that something is wrong. It
    /// may be looked at as often as one likes.
    log_evidence: f64,
    /// Whether that is more than 1,000 to 1.
    flagged: bool,
}

/// How a variant differs from the control, at an error that holds at all looks.
#[derive(ToSchema)]
pub(super) struct Sequence {
    /// The difference, in the metric's unit, stratum by stratum.
    absolute: f64,
    /// Its lower end.
    absolute_low: f64,
    /// Its upper end.
    absolute_high: f64,
    /// The difference as a part of the control's figure; none unless that is positive.
    #[schema(required = true)]
    relative: Option<f64>,
    /// Its lower end.
    #[schema(required = true)]
    low: Option<f64>,
    /// Its upper end.
    #[schema(required = true)]
    high: Option<f64>,
    /// The share of runs in which the interval holds the truth at all looks, this variant's alone.
    level: super::Share,
    /// Whether the difference may be announced: by the interval for the primary metric and for guardrails; for secondary
    /// metrics such that of all of them that are announced, at most 5 % do not hold.
    holds: bool,
}

/// A figure that does not depend on when a variant got how many units: each unit counts by the exact probability of its
/// assignment.
#[derive(ToSchema)]
pub(super) struct Corrected {
    /// The mean, in the metric's unit.
    value: f64,
    /// The lower end of its interval.
    low: f64,
    /// The upper end.
    high: f64,
    /// The share of repetitions whose interval holds the truth, for one look planned beforehand.
    level: super::Share,
    /// Matured units that are left out, because the probability of their assignment is not known.
    left_out_units: u64,
}

/// Where values are cut off.
#[derive(ToSchema)]
pub(super) struct Cap {
    /// The quantile of the values that are not zero.
    quantile: super::Share,
    /// The value at it, in the metric's unit; larger ones count as this.
    value: i64,
    /// Matured units whose value is larger.
    units: u64,
}

/// What the units' own past takes off the noise.
#[derive(ToSchema)]
pub(super) struct History {
    /// How far back it goes, in seconds.
    span_s: i64,
    /// Matured units that have one.
    units: u64,
    /// The part of the variance that it explains, 0 to 1.
    variance_removed: super::Share,
}

/// How far a level, or a pair of levels, is from the mean of all.
#[derive(ToSchema)]
struct Effect {
    /// The factors and their levels, `headline=short`; two for a two-way effect.
    levels: Vec<String>,
    /// The effect.
    value: f64,
    /// The lower end of its interval, for one look planned beforehand.
    low: f64,
    /// The upper end.
    high: f64,
}

/// What the levels of factors do, in the metric's unit.
#[derive(ToSchema)]
pub(super) struct Factors {
    /// The effects: of each level, then of each pair of levels of two factors.
    effects: Vec<Effect>,
    /// Effects that the variants cannot tell apart from others.
    aliased: Vec<String>,
}
