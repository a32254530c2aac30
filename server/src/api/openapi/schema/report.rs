//! The winner report.

use super::choices::UnitKind;
use super::experiment::Status;
use super::inferred::{Cap, Corrected, Factors, History, Monthly, Outlook, SampleRatio, Sequence, Verdict};
use super::operations::{MetricKind, ValueUnit};
use super::{Currency, Direction, Key, Share, Time};
use utoipa::ToSchema;

/// How far the evidence goes. `winner` and `harmful` are verdicts.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum State {
    Collecting,
    Leading,
    Winner,
    Harmful,
    Inconclusive,
}

/// What a metric is for: it decides, is reported beside, or must not get worse.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum Role {
    Primary,
    Secondary,
    Guardrail,
}

/// How an interval was made.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum Method {
    CredibleBeta,
    CredibleStudentT,
    CredibleNormal,
    Point,
    LogRatioDelta,
    NormalDifference,
    Newcombe,
}

/// What a warning is about.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum WarningCode {
    MetricUnavailable,
    SumsContradict,
    Quarantine,
    UnreadableUnits,
    NotCapped,
    RatioAlone,
    SampleRatio,
    StaleGoal,
    Burst,
    Novelty,
    Shadow,
}

/// What is enough to compare at all, and to speak of a lead.
#[derive(ToSchema)]
struct Rules {
    /// Matured units that every active variant needs.
    units_min: i64,
    /// Of these, units whose reward is not zero.
    nonzero_min: i64,
    /// Time from the first exposure to the latest event, in seconds.
    run_s_min: i64,
    /// The chance to be best from which a variant is said to lead.
    leading_chance: Share,
}

/// Something a reader must know.
#[derive(ToSchema)]
struct Warning {
    /// What it is, for programs.
    code: WarningCode,
    /// What it is, for people.
    message: String,
}

/// Whether the figures can be trusted.
#[derive(ToSchema)]
struct Health {
    /// Units exposed to any variant.
    units: u64,
    /// Those whose window for the primary metric has passed.
    matured_units: u64,
    /// `matured_units / units`; none without units.
    #[schema(required = true)]
    matured_share: Option<f64>,
    /// Units seen in two variants, which count in none.
    quarantined_units: u64,
    /// From the first exposure to the latest event, in seconds.
    run_s: i64,
    /// Whether variants got the units that their weights say; none where the weights are not known.
    #[schema(required = true)]
    sample_ratio: Option<SampleRatio>,
    /// What a reader must know, worst first.
    warnings: Vec<Warning>,
}

/// One variant, whatever the metric.
#[derive(ToSchema)]
struct VariantSummary {
    /// Its key.
    key: Key,
    /// What people read.
    name: String,
    /// Whether it is what the others are compared with.
    control: bool,
    /// Whether it was taken out.
    removed: bool,
    /// The probability that a unit gets it, under the weights in force; none before there are any.
    #[schema(required = true)]
    weight: Option<Share>,
    /// Units exposed to it.
    units: u64,
    /// Those whose window for the primary metric has passed.
    matured_units: u64,
}

/// An interval in the metric's unit.
#[derive(ToSchema)]
pub(super) struct Interval {
    /// The lower end.
    low: f64,
    /// The upper end.
    high: f64,
    /// The share of belief between them.
    level: Share,
    /// How it was made.
    method: Method,
}

/// What all units earned beyond what an equal split would have earned, in the metric's unit (for proportions, units
/// with a result). Positive is good, whichever way is better.
#[derive(ToSchema)]
struct Gain {
    /// The gain.
    value: f64,
    /// The lower end of its interval; none where it cannot be trusted.
    #[schema(required = true)]
    low: Option<f64>,
    /// The upper end.
    #[schema(required = true)]
    high: Option<f64>,
    /// The share of repetitions whose interval holds the truth.
    level: Share,
}

/// How a variant differs from the control, over matured units. An interval is absent where none can be trusted.
#[derive(ToSchema)]
struct Lift {
    /// `value / control − 1`; none unless both are positive.
    #[schema(required = true)]
    relative: Option<f64>,
    /// The lower end of `relative`.
    #[schema(required = true)]
    low: Option<f64>,
    /// The upper end of `relative`.
    #[schema(required = true)]
    high: Option<f64>,
    /// How the interval of `relative` was made.
    #[schema(required = true)]
    method: Option<Method>,
    /// `value − control`, in the metric's unit.
    absolute: f64,
    /// The lower end of `absolute`.
    #[schema(required = true)]
    absolute_low: Option<f64>,
    /// The upper end of `absolute`.
    #[schema(required = true)]
    absolute_high: Option<f64>,
    /// How the interval of `absolute` was made.
    #[schema(required = true)]
    absolute_method: Option<Method>,
    /// The share of repetitions in which each interval holds the truth, for one look planned beforehand.
    level: Share,
}

/// One variant in one metric. `units`, `numerator`, `denominator` and `value` count every exposed unit as observed so
/// far; everything else is inferred from matured units, whose window has passed.
#[derive(ToSchema)]
struct VariantReport {
    /// The variant's key.
    key: Key,
    /// Exposed units.
    units: i64,
    /// Of these, units whose numerator is not zero.
    nonzero_units: i64,
    /// The sum over the units, in the metric's unit (minor units for money).
    numerator: i128,
    /// What it is divided by: the denominators' sum for ratios, else the units.
    denominator: i128,
    /// `numerator / denominator`, rounded once; none where the denominator is 0.
    #[schema(required = true)]
    value: Option<f64>,
    /// Units whose window has passed.
    matured_units: i64,
    /// Of these, units whose numerator is not zero.
    matured_nonzero_units: i64,
    /// Whether it has the matured units and rewards that the rules ask for; below that, a chance is hearsay.
    enough: bool,
    /// The numerator over matured units.
    matured_numerator: i128,
    /// The denominator over matured units.
    matured_denominator: i128,
    /// `matured_numerator / matured_denominator`.
    #[schema(required = true)]
    matured_value: Option<f64>,
    /// Where the true value is believed to be.
    #[schema(required = true)]
    interval: Option<Interval>,
    /// The chance that it is the best of the variants that may still be served.
    #[schema(required = true)]
    chance_best: Option<Share>,
    /// What serving it loses per unit if another is better, in the metric's unit.
    #[schema(required = true)]
    expected_loss: Option<f64>,
    /// The chance that it is better than the control; none for the control.
    #[schema(required = true)]
    chance_to_beat_control: Option<Share>,
    /// How it differs from the control; none for the control.
    #[schema(required = true)]
    lift: Option<Lift>,
    /// The same with an interval that holds however often one looks; it decides. None for the control, and before there
    /// is enough.
    #[schema(required = true)]
    sequence: Option<Sequence>,
    /// `matured_value` with the largest values cut off, as all inference sees it; none where nothing is.
    #[schema(required = true)]
    capped_value: Option<f64>,
    /// The mean with every period weighted alike for all variants; none where they have no period in common.
    #[schema(required = true)]
    period_value: Option<f64>,
    /// The mean with the effect of moving weights taken out; none where weights do not move, and for ratios.
    #[schema(required = true)]
    corrected: Option<Corrected>,
}

/// One metric.
#[derive(ToSchema)]
struct MetricReport {
    /// The id a plugin gave it.
    metric: String,
    /// What people read.
    title: String,
    /// What it is for.
    role: Role,
    /// What sort of number it yields.
    kind: MetricKind,
    /// What it counts in.
    unit: ValueUnit,
    /// The currency, if it counts in minor units of one.
    #[schema(required = true)]
    currency: Option<Currency>,
    /// Which way is better.
    direction: Direction,
    /// How long after its first exposure a unit's events count, in seconds.
    window_s: i64,
    /// Whether a loaded plugin offers it.
    available: bool,
    /// Exposed units whose value it could not tell; they are in no figure.
    unreadable_units: u64,
    /// What moving the traffic earned; none where weights do not move, and for ratios.
    #[schema(required = true)]
    gain: Option<Gain>,
    /// What all units earned beyond what the control would have earned; none for ratios.
    #[schema(required = true)]
    gain_over_control: Option<Gain>,
    /// Where values are cut off for all inference; none where they are not.
    #[schema(required = true)]
    cap: Option<Cap>,
    /// What the units' own past takes off the noise; none where it is not used.
    #[schema(required = true)]
    history: Option<History>,
    /// Main and two-way effects of an experiment with factors.
    #[schema(required = true)]
    factors: Option<Factors>,
    /// The variants, in the order of the definition.
    variants: Vec<VariantReport>,
}

/// The winner report of one experiment. CSV and page show the same figures.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Report {
    /// The experiment's key.
    experiment: Key,
    /// Its version; each has figures of its own.
    #[schema(minimum = 1)]
    version: u32,
    /// What people read.
    name: String,
    /// Why it is run.
    #[schema(required = true)]
    description: Option<String>,
    /// What must be known of the data before the figures: `simulated`, an attribution.
    #[schema(required = true)]
    source_note: Option<String>,
    /// Where the experiment stands.
    status: Status,
    /// How far the evidence goes, by the primary metric.
    state: State,
    /// The variant that leads, if the state is `leading`.
    #[schema(required = true)]
    leader: Option<Key>,
    /// What the data decides.
    verdict: Verdict,
    /// What may be quoted.
    sentence: String,
    /// How far the run is, and how long it still takes.
    outlook: Outlook,
    /// What serving the winner to everyone should bring a month; none before there is a winner, and where no metric
    /// counts money per unit.
    #[schema(required = true)]
    monthly: Option<Monthly>,
    /// Whom we randomize.
    unit: UnitKind,
    /// How weights follow from what is learned.
    allocator: super::allocator::AllocatorType,
    /// The currency of every amount; amounts are minor units of it.
    currency: Currency,
    /// When the report was made.
    generated_at: Time,
    /// The latest time that an event counted here happened at.
    #[schema(required = true)]
    as_of: Option<Time>,
    /// The last position of the log that is counted.
    watermark: i64,
    /// The weights version in force; none before the first.
    #[schema(required = true)]
    weights_version: Option<u32>,
    /// When it first started.
    #[schema(required = true)]
    started_at: Option<Time>,
    /// When it was concluded.
    #[schema(required = true)]
    concluded_at: Option<Time>,
    /// When the first unit was exposed.
    #[schema(required = true)]
    first_exposed_at: Option<Time>,
    /// When the last unit was exposed.
    #[schema(required = true)]
    last_exposed_at: Option<Time>,
    /// What counts as enough.
    rules: Rules,
    /// Whether the figures can be trusted.
    health: Health,
    /// The variants, in the order of the definition.
    variants: Vec<VariantSummary>,
    /// The primary metric, then the secondaries, then the guardrails.
    metrics: Vec<MetricReport>,
}
