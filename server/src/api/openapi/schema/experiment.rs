//! Experiments, as they are registered and as they are read.

use super::allocator::Allocator;
use super::automation::Automation;
use super::choices::{ExposureSource, Stickiness, UnitKind, ValueType};
use super::condition::Condition;
use super::weights::Weights;
use super::{Currency, Direction, Key, Share, Time, by_hand, closed, object_of, one_of, plain, reference};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, Type};

/// Where an experiment stands: draft → running ⇄ paused → concluded → archived.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(in crate::api::openapi) enum Status {
    Draft,
    Running,
    Paused,
    Concluded,
    Archived,
}

/// One arm, as it is registered.
#[derive(ToSchema)]
struct VariantFields {
    /// Its name, unique in the experiment.
    key: Key,
    /// What people read; the key if absent.
    #[schema(max_length = 2000)]
    name: Option<String>,
    /// Whether it is what the others are compared with. One variant is; the first if none is marked.
    #[schema(required = false, default = false)]
    control: bool,
    /// Its share under a fixed split, relative to the others.
    #[schema(required = false, default = 1.0, minimum = 0)]
    weight: f64,
    /// What the client gets: any JSON.
    #[schema(required = false)]
    content: Value,
    /// What is sent or shown on channels that need another form of it, by the channel's key. It is rendered when the
    /// experiment is registered or changed, and refused then if the channel cannot.
    #[schema(required = false)]
    channels: BTreeMap<String, Value>,
    /// Of an experiment with factors: its level of each factor, by the factor's name. Every variant has a level of each
    /// factor, or none has any.
    #[schema(required = false)]
    levels: BTreeMap<String, String>,
}

/// One arm, as it is registered.
#[derive(Clone, Copy)]
pub(in crate::api::openapi) struct NewVariant;

by_hand!(NewVariant, closed(object_of::<VariantFields>()).into(), VariantFields::schemas);

/// A metric with what this experiment wants of it.
#[derive(ToSchema)]
pub(super) struct MetricFields {
    /// The id a plugin gave it; `GET /api/v1/metrics` lists them.
    #[schema(examples("conversion"))]
    metric: String,
    /// Its settings, by the metric's own schema.
    #[schema(required = false)]
    config: BTreeMap<String, Value>,
    /// Which way is better; the metric's own if absent.
    direction: Option<Direction>,
    /// How long after its first exposure a unit's events count, in seconds; the metric's own if absent.
    #[schema(minimum = 1, maximum = 316_224_000)]
    window_s: Option<i64>,
    /// The relative difference that matters: a guardrail may not be worse than the control's by more; of the primary
    /// metric, a difference within it either way is none worth having.
    #[schema(exclusive_minimum = 0, exclusive_maximum = 1)]
    margin: Option<f64>,
    /// The quantile of the values that are not zero above which a unit's value counts as the one at it; 1 caps nothing,
    /// the metric's own if absent. Proportions are never capped.
    #[schema(minimum = 0.5, maximum = 1)]
    cap: Option<f64>,
    /// How far back before its first exposure a unit's own past makes its value less noisy, in seconds; 0 for not at
    /// all, 14 days if absent. Ratios are never adjusted.
    #[schema(minimum = 0, maximum = 7_776_000)]
    history_s: Option<i64>,
}

/// A metric: its id alone, or with settings.
pub(super) struct MetricWanted;

by_hand!(
    MetricWanted,
    one_of(
        "A metric: its id alone, or with what this experiment wants of it.",
        [plain(Type::String).examples(["conversion"]).into(), closed(object_of::<MetricFields>()).into(),],
    ),
    MetricFields::schemas
);

/// A share of a group whose experiments never share a unit.
#[derive(ToSchema)]
pub(super) struct ExclusionGroupFields {
    /// Which group.
    key: Key,
    /// How much of the group's units this experiment may have.
    #[schema(exclusive_minimum = 0, maximum = 1)]
    share: f64,
    /// Where its slot begins in the group, `0 <= start <= 1 - share`; the server finds a free one if absent.
    #[schema(minimum = 0, maximum = 1)]
    start: Option<f64>,
}

/// A share of a group whose experiments never share a unit.
pub(super) struct ExclusionGroup;

by_hand!(ExclusionGroup, closed(object_of::<ExclusionGroupFields>()).into(), ExclusionGroupFields::schemas);

/// When it starts and ends by itself.
#[derive(ToSchema)]
pub(super) struct ScheduleFields {
    /// When it starts.
    start_at: Option<Time>,
    /// When it is concluded; after `start_at`.
    end_at: Option<Time>,
}

/// When it starts and ends by itself.
pub(super) struct Schedule;

by_hand!(Schedule, closed(object_of::<ScheduleFields>()).into(), ScheduleFields::schemas);

/// What a person registers.
#[derive(ToSchema)]
pub(super) struct Definition {
    /// What people read; the key if absent.
    #[schema(max_length = 2000)]
    name: Option<String>,
    /// Why it is run.
    #[schema(max_length = 2000)]
    description: Option<String>,
    /// The name a client asks for; the experiment's key if absent.
    flag_key: Option<Key>,
    /// What sort of value every content is, for typed clients; that of the control's content if absent.
    value_type: Option<ValueType>,
    /// Whether only a key of scope server is told of it, and no page.
    #[schema(required = false, default = false)]
    server_only: bool,
    /// Who may be in it; everyone if absent. The others get the control.
    when: Option<Condition>,
    /// Whether it runs in the shadow: units are assigned and all get the control. Once it was started it can only be
    /// turned off.
    #[schema(required = false, default = false)]
    shadow: bool,
    /// Whether it is the global holdout: two variants with a fixed split. While it runs, who is in its control gets no
    /// treatment of anything else, and its report tells the lift of all treatments.
    #[schema(required = false, default = false)]
    holdout: bool,
    /// Whom we randomize.
    #[schema(required = false, default = "user")]
    unit: UnitKind,
    /// The arms.
    #[schema(min_items = 2, max_items = 128)]
    variants: Vec<NewVariant>,
    /// The metric that decides.
    primary_metric: MetricWanted,
    /// Metrics that are reported beside it.
    #[schema(required = false, max_items = 20)]
    secondary_metrics: Vec<MetricWanted>,
    /// Metrics that must not get worse.
    #[schema(required = false, max_items = 20)]
    guardrail_metrics: Vec<MetricWanted>,
    /// How weights follow from what is learned; the variants' weights as they are if absent.
    #[schema(required = false)]
    allocator: Allocator,
    /// How many units are assigned under one weights version before the next; more once they are less than a hundredth
    /// of all so far. A version also ends after a day, and lives a second at least.
    #[schema(required = false, default = 500, minimum = 10, maximum = 1_000_000)]
    units_per_version: u32,
    /// What becomes of a unit's variant when weights move.
    #[schema(required = false, default = "sticky")]
    stickiness: Stickiness,
    /// What makes an assignment an exposure.
    #[schema(required = false, default = "decision")]
    exposure: ExposureSource,
    /// The share of units that are in it.
    #[schema(required = false, default = 1.0, minimum = 0, maximum = 1)]
    traffic: f64,
    /// The group whose experiments never share a unit.
    exclusion_group: Option<ExclusionGroup>,
    /// The currency its money is counted in; orders in others are left out of money metrics, and counted.
    #[schema(required = false, default = "USD")]
    currency: Currency,
    /// What its hashes begin with; made from the key if absent.
    #[schema(max_length = 2000)]
    salt: Option<String>,
    /// When it starts and ends by itself.
    #[schema(required = false)]
    schedule: Schedule,
    /// The shortest run before the report speaks of a lead, in seconds; whole weeks are advised.
    #[schema(required = false, default = 604_800, minimum = 0, maximum = 316_224_000)]
    min_run_s: i64,
    /// For how many units it is planned, all variants together: where its intervals are narrowest, and beyond one and a
    /// half times of which it ends undecided. From the margin of the primary metric if absent.
    #[schema(minimum = 100, maximum = 1_000_000_000_000_i64)]
    planned_units: Option<i64>,
    /// What is done without a person once there is a verdict.
    #[schema(required = false)]
    automation: Automation,
    /// What a reader must know of the data before the figures: that it is simulated, whose it is.
    #[schema(max_length = 2000)]
    source_note: Option<String>,
}

/// A new experiment: its key and its definition.
pub(in crate::api::openapi) struct NewExperiment;

by_hand!(NewExperiment, new_experiment().into(), Definition::schemas);

fn new_experiment() -> Object {
    let mut object = object_of::<Definition>();
    object.description = Some("A new experiment: its key, and what is asked.".to_owned());
    object.properties.insert("key".to_owned(), reference::<Key>());
    object.required.insert(0, "key".to_owned());
    closed(object)
}

/// One arm, as it is read.
#[derive(ToSchema)]
struct Variant {
    /// Its name, unique in the experiment.
    key: Key,
    /// What people read; the key if absent.
    #[schema(nullable = false)]
    name: Option<String>,
    /// Whether it is what the others are compared with.
    control: bool,
    /// Its share under a fixed split, relative to the others.
    #[schema(minimum = 0)]
    weight: f64,
    /// What the client gets: any JSON.
    #[schema(required = true)]
    content: Value,
    /// What is sent or shown on channels that need another form of it, by the channel's key.
    #[schema(nullable = false)]
    channels: Option<BTreeMap<String, Value>>,
    /// Its level of each factor, by the factor's name.
    #[schema(nullable = false)]
    levels: Option<BTreeMap<String, String>>,
    /// When it was taken out. From then on no unit gets it; its figures stay.
    #[schema(nullable = false)]
    removed_at: Option<Time>,
    /// When it had been taken out before, and was taken in again.
    #[schema(nullable = false)]
    absences: Option<Vec<Absence>>,
}

/// A time in which a variant was taken out.
#[derive(ToSchema)]
struct Absence {
    /// When it was taken out.
    from: Time,
    /// When it was taken in again.
    #[schema(nullable = false)]
    until: Option<Time>,
}

/// A metric with what this experiment wants of it.
#[derive(ToSchema)]
pub(super) struct MetricChoice {
    /// The id a plugin gave it.
    metric: String,
    /// Its settings, by the metric's own schema.
    config: BTreeMap<String, Value>,
    /// Which way is better; the metric's own if absent.
    #[schema(nullable = false)]
    direction: Option<Direction>,
    /// How long after its first exposure a unit's events count, in seconds; the metric's own if absent.
    #[schema(nullable = false)]
    window_s: Option<i64>,
    /// The relative difference that matters.
    #[schema(nullable = false)]
    margin: Option<f64>,
    /// The quantile of the values that are not zero above which values are capped; the metric's own if absent.
    #[schema(nullable = false)]
    cap: Option<f64>,
    /// How far back before its first exposure a unit's own past counts, in seconds; 14 days if absent.
    #[schema(nullable = false)]
    history_s: Option<i64>,
}

/// An experiment.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Experiment {
    /// As the store numbers it; each version has its own.
    id: i64,
    /// Its name.
    key: Key,
    /// 1 for the first; an edit that would break statistics makes a new one, with figures of its own.
    #[schema(minimum = 1)]
    version: u32,
    /// Where it stands.
    status: Status,
    /// The name a client asks for.
    flag_key: Key,
    /// The variant everyone gets once it is concluded; the control if none was named.
    #[schema(required = true)]
    served: Option<Key>,
    /// When it was registered.
    created_at: Time,
    /// When it last changed.
    updated_at: Time,
    /// When it first started.
    #[schema(required = true)]
    started_at: Option<Time>,
    /// When it was concluded.
    #[schema(required = true)]
    concluded_at: Option<Time>,
    /// The weights in force.
    weights: Weights,
    /// What people read; the key if absent.
    #[schema(nullable = false)]
    name: Option<String>,
    /// Why it is run.
    #[schema(nullable = false)]
    description: Option<String>,
    /// What sort of value every content is; that of the control's content if absent.
    #[schema(nullable = false)]
    value_type: Option<ValueType>,
    /// Whether only a key of scope server is told of it, and no page.
    server_only: bool,
    /// Who may be in it; everyone if absent. The others get the control.
    #[schema(nullable = false)]
    when: Option<Condition>,
    /// Whether it runs in the shadow.
    shadow: bool,
    /// Whether it is the global holdout.
    holdout: bool,
    /// Whom we randomize.
    unit: UnitKind,
    /// The arms, also those that were taken out.
    variants: Vec<Variant>,
    /// The metric that decides.
    primary_metric: MetricChoice,
    /// Metrics that are reported beside it.
    secondary_metrics: Vec<MetricChoice>,
    /// Metrics that must not get worse.
    guardrail_metrics: Vec<MetricChoice>,
    /// How weights follow from what is learned.
    allocator: Allocator,
    /// How many units are assigned under one weights version before the next.
    units_per_version: u32,
    /// What becomes of a unit's variant when weights move.
    stickiness: Stickiness,
    /// What makes an assignment an exposure.
    exposure: ExposureSource,
    /// The share of units that are in it.
    traffic: Share,
    /// The group whose experiments never share a unit.
    #[schema(nullable = false)]
    exclusion_group: Option<ExclusionGroup>,
    /// The currency its money is counted in.
    currency: Currency,
    /// What its hashes begin with; made from the key if absent.
    #[schema(nullable = false)]
    salt: Option<String>,
    /// When it starts and ends by itself.
    schedule: Schedule,
    /// The shortest run before the report speaks of a lead, in seconds.
    min_run_s: i64,
    /// For how many units it is planned, all variants together.
    #[schema(nullable = false)]
    planned_units: Option<i64>,
    /// What is done without a person once there is a verdict.
    automation: Automation,
    /// What a reader must know of the data before the figures.
    #[schema(nullable = false)]
    source_note: Option<String>,
}

/// Experiments in the order they were registered.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Experiments {
    /// The experiments, one entry for each version.
    data: Vec<Experiment>,
    /// What to give as `cursor` for the next page; none on the last one.
    #[schema(required = true)]
    next_cursor: Option<i64>,
}
