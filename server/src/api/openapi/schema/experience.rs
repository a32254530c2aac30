//! Experiences, as they are registered and as they are read, and what came of their rules.

use super::choices::ValueType;
use super::condition::Condition;
use super::experiment::{MetricChoice, MetricWanted, NewExperiment};
use super::operations::{MetricKind, ValueUnit};
use super::report::Interval;
use super::{Currency, Key, Time, by_hand, closed, object_of, reference};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

/// Where an experience stands: draft → live ⇄ paused → archived.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(in crate::api::openapi) enum ExperienceStatus {
    Draft,
    Live,
    Paused,
    Archived,
}

/// What becomes of the rules that hit, as in decision tables: `unique` – at most one hits; `first` – the first is served;
/// `any` – all that hit serve the same; `rule_order` – a list of all contents in the order of the rules; `collect` – a
/// list of them, or what the aggregator makes of it. What breaks the policy is answered with the fallback and
/// `UNKNOWN`.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum HitPolicy {
    Unique,
    First,
    Any,
    RuleOrder,
    Collect,
}

/// What is made of everything that is collected: a list, or of numbers the sum, the smallest or the largest, or how many
/// rules hit.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum Aggregator {
    List,
    Sum,
    Min,
    Max,
    Count,
}

/// Any JSON but null.
struct Shown;

by_hand!(
    Shown,
    ObjectBuilder::new()
        .schema_type(SchemaType::Array(vec![
            Type::Boolean,
            Type::String,
            Type::Number,
            Type::Object,
            Type::Array
        ]))
        .description(Some("Any JSON but null."))
        .examples([json!({"text": "Free returns"})])
        .into()
);

/// What may be shown.
#[derive(ToSchema)]
struct ExperienceVariantFields {
    /// Its name, unique in the experience.
    key: Key,
    /// What people read; the key if absent.
    #[schema(max_length = 2000)]
    name: Option<String>,
    /// What the client gets.
    content: Shown,
    /// What is sent or shown on channels that need another form of it, by the channel's key.
    #[schema(required = false)]
    channels: BTreeMap<String, Value>,
}

/// What may be shown.
struct ExperienceVariant;

by_hand!(
    ExperienceVariant,
    closed(object_of::<ExperienceVariantFields>()).into(),
    ExperienceVariantFields::schemas
);

/// Who gets what.
#[derive(ToSchema)]
struct RuleFields {
    /// Its name, unique in the experience; figures are kept under it.
    key: Key,
    /// What people read; the key if absent.
    #[schema(max_length = 2000)]
    name: Option<String>,
    /// Who; everyone if absent.
    when: Option<Condition>,
    /// The variant that is served; a rule has this or `serve_experiment`.
    serve: Option<Key>,
    /// The experiment that decides what is served: whom the rule hits are a question of their own, with a winner of their
    /// own.
    serve_experiment: Option<Key>,
}

/// Who gets what.
struct Rule;

by_hand!(Rule, closed(object_of::<RuleFields>()).into(), RuleFields::schemas);

/// Who gets what, perhaps with an experiment to be registered for them.
struct NewRule;

by_hand!(NewRule, new_rule().into(), RuleFields::schemas);

/// A rule may bring along the experiment that decides: it is registered, started and put away with the experience. It
/// answers to the flag of the experience, and stands in no exclusion group.
fn new_rule() -> Object {
    let mut object = object_of::<RuleFields>();
    object.properties.insert("experiment".to_owned(), reference::<NewExperiment>());
    closed(object)
}

/// What a person registers.
#[derive(ToSchema)]
struct ExperienceFields {
    /// What people read; the key if absent.
    #[schema(max_length = 2000)]
    name: Option<String>,
    /// The name a client asks for, which others may answer to as well; the experience's key if absent.
    flag_key: Option<Key>,
    /// What every content is; what they are by themselves if absent. All that answers to a flag is of one type.
    value_type: Option<ValueType>,
    /// What may be shown.
    #[schema(min_items = 1, max_items = 128)]
    variants: Vec<ExperienceVariant>,
    /// Who gets what, in this order.
    #[schema(required = false, max_items = 100)]
    rules: Vec<NewRule>,
    /// The variant that is served where no rule hits.
    fallback: Key,
    /// What becomes of the rules that hit.
    #[schema(required = false, default = "first")]
    hit_policy: HitPolicy,
    /// What is made of everything that is collected; only with the hit policy `collect`.
    aggregator: Option<Aggregator>,
    /// Of several experiences on a flag the higher is asked first, of equal ones the older.
    #[schema(required = false, default = 0, minimum = -2_147_483_648_i64, maximum = 2_147_483_647)]
    priority: i32,
    /// From when on it is shown.
    starts_at: Option<Time>,
    /// From when on it is not shown any more; after `starts_at`.
    ends_at: Option<Time>,
    /// For how many days it is hidden from who closed it; closing it changes nothing if absent.
    #[schema(minimum = 1, maximum = 365)]
    dismiss_days: Option<u32>,
    /// What the conversions of each rule are counted with; with another goal figures begin anew.
    goal: Option<MetricWanted>,
    /// The currency that the goal counts money in.
    #[schema(required = false, default = "USD")]
    currency: Currency,
    /// Whether publishable keys are not told of it.
    #[schema(required = false, default = false)]
    server_only: bool,
}

/// What an experience is to be; its key may stand with it.
pub(in crate::api::openapi) struct ExperienceDefinition;

by_hand!(ExperienceDefinition, definition().into(), ExperienceFields::schemas);

/// A new experience: its key, and what is shown to whom.
pub(in crate::api::openapi) struct NewExperience;

by_hand!(NewExperience, new_experience().into(), ExperienceFields::schemas);

fn definition() -> Object {
    let mut object = object_of::<ExperienceFields>();
    object.description = Some("What an experience is to be; its key may stand with it.".to_owned());
    object.properties.insert("key".to_owned(), reference::<Key>());
    closed(object)
}

fn new_experience() -> Object {
    let mut object = definition();
    object.description = Some("A new experience: its key, and what is shown to whom.".to_owned());
    object.required.insert(0, "key".to_owned());
    object
}

/// An experience.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Experience {
    /// As the store numbers it.
    id: i64,
    /// Its name.
    key: Key,
    /// Where it stands.
    status: ExperienceStatus,
    /// When it was registered.
    created_at: Time,
    /// When it last changed.
    updated_at: Time,
    /// When it first went live.
    #[schema(required = true)]
    published_at: Option<Time>,
    /// What people read; the key if absent.
    #[schema(nullable = false)]
    name: Option<String>,
    /// The name a client asks for.
    flag_key: Key,
    /// What every content is.
    value_type: ValueType,
    /// What may be shown.
    variants: Vec<ExperienceVariant>,
    /// Who gets what, in this order.
    rules: Vec<Rule>,
    /// The variant that is served where no rule hits.
    fallback: Key,
    /// What becomes of the rules that hit.
    hit_policy: HitPolicy,
    /// What is made of everything that is collected.
    #[schema(nullable = false)]
    aggregator: Option<Aggregator>,
    /// Of several experiences on a flag the higher is asked first, of equal ones the older.
    priority: i32,
    /// From when on it is shown.
    #[schema(nullable = false)]
    starts_at: Option<Time>,
    /// From when on it is not shown any more.
    #[schema(nullable = false)]
    ends_at: Option<Time>,
    /// For how many days it is hidden from who closed it.
    #[schema(nullable = false)]
    dismiss_days: Option<u32>,
    /// What the conversions of each rule are counted with.
    #[schema(nullable = false)]
    goal: Option<MetricChoice>,
    /// The currency that the goal counts money in.
    currency: Currency,
    /// Whether publishable keys are not told of it.
    server_only: bool,
}

/// Experiences in the order they were registered.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Experiences {
    /// The experiences.
    data: Vec<Experience>,
    /// What to give as `cursor` for the next page; none on the last one.
    #[schema(required = true)]
    next_cursor: Option<i64>,
}

/// How what a conclusion serves is to go on.
#[derive(ToSchema)]
struct PromotionFields {
    /// The key of the experience; that of the experiment if absent.
    key: Option<Key>,
    /// Of several experiences on the flag the higher is asked first.
    #[schema(required = false, default = 0, minimum = -2_147_483_648_i64, maximum = 2_147_483_647)]
    priority: i32,
    /// Who gets it; the others get the control. Everyone if absent.
    when: Option<Condition>,
}

/// How what a conclusion serves is to go on.
pub(in crate::api::openapi) struct Promotion;

by_hand!(Promotion, closed(object_of::<PromotionFields>()).into(), PromotionFields::schemas);

/// Two live experiences of equal priority on one flag, whose schedules meet: the older is asked first.
#[derive(ToSchema)]
struct Conflict {
    /// The flag.
    flag_key: Key,
    /// The priority that both have.
    priority: i32,
    /// Their keys, the older first.
    #[schema(min_items = 2, max_items = 2)]
    experiences: Vec<Key>,
    /// Pairs of their rules that are sure to hit together for some: one of them is for everyone, or both have the same
    /// condition. Others may, too.
    rules: Vec<Vec<Key>>,
}

/// Where nobody said which of two experiences comes first.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Conflicts {
    /// Every pair.
    data: Vec<Conflict>,
}

/// What came of a rule, or of the fallback.
#[derive(ToSchema)]
struct RuleReport {
    /// Its key; null for the fallback.
    #[schema(required = true)]
    rule: Option<Key>,
    /// What people read.
    #[schema(required = true)]
    name: Option<String>,
    /// The variant that it serves; null if an experiment decides.
    #[schema(required = true)]
    serve: Option<Key>,
    /// The experiment that decides.
    #[schema(required = true)]
    serve_experiment: Option<Key>,
    /// Where the report of that experiment is.
    #[schema(required = true)]
    report: Option<String>,
    /// Units that it hit.
    units: i64,
    /// Of these, units whose numerator is not zero.
    conversions: i64,
    /// The sum over the units, in the metric's unit.
    numerator: i64,
    /// What it is divided by: the denominators' sum for ratios, else the units.
    denominator: i64,
    /// `numerator / denominator`.
    #[schema(required = true)]
    value: Option<f64>,
    /// Units whose window has passed.
    matured_units: i64,
    /// The same as `value` of these.
    #[schema(required = true)]
    matured_value: Option<f64>,
    /// Where the true value is believed to be, from these; nothing is cut off.
    #[schema(required = true)]
    interval: Option<Interval>,
}

/// What came of each rule. Rules are not compared: who meets which is no chance.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct RulesReport {
    /// The experience.
    experience: Key,
    /// When it was made.
    generated_at: Time,
    /// The metric of the goal; null if only units are counted.
    #[schema(required = true)]
    metric: Option<String>,
    /// What its values are.
    #[schema(required = true)]
    kind: Option<MetricKind>,
    /// What it counts in.
    #[schema(required = true)]
    unit: Option<ValueUnit>,
    /// The currency of its money.
    #[schema(required = true)]
    currency: Option<Currency>,
    /// How long after a unit first met a rule its events count, in seconds.
    #[schema(required = true)]
    window_s: Option<i64>,
    /// The rules in their order, and at last the fallback.
    rules: Vec<RuleReport>,
}
