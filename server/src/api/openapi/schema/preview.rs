//! What a unit would get, links to one variant, and the spread of units.

use super::audience::Clause;
use super::decision::{Decision, Violation};
use super::experience::ExperienceStatus;
use super::{Key, Share, Time, UnitId, by_hand, closed, object_of};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What would a unit get, and why?
#[derive(ToSchema)]
struct PreviewFields {
    /// Any id of the person.
    unit: UnitId,
    /// Which flags; all there are if absent.
    #[schema(min_items = 1, max_items = 100)]
    flags: Option<Vec<String>>,
    /// What a request would bring.
    context: Option<BTreeMap<String, Value>>,
    /// The channel that would show it.
    #[schema(examples("web"))]
    channel: Option<String>,
    /// The moment that is asked about; now if absent. Schedules are followed; what is known of the person is as it is
    /// now, and so are weights.
    at: Option<Time>,
}

/// What would a unit get, and why?
pub(in crate::api::openapi) struct PreviewRequest;

by_hand!(PreviewRequest, closed(object_of::<PreviewFields>()).into(), PreviewFields::schemas);

/// A place among all units, and the part that is inside: from `start` to below `end`.
#[derive(ToSchema)]
struct Place {
    /// The unit's place.
    at: Share,
    /// Where the part begins.
    start: Share,
    /// Where it ends.
    end: Share,
}

/// Where a unit stands in what an experiment takes of all units.
#[derive(ToSchema)]
struct Places {
    /// In its traffic.
    traffic: Place,
    /// In its exclusion group; absent if it is in none.
    #[schema(nullable = false)]
    slot: Option<Place>,
}

/// What a unit is assigned.
#[derive(ToSchema)]
struct PreviewAssignment {
    /// The variant.
    #[schema(required = true)]
    variant: Option<Key>,
    /// The probability at which it was.
    propensity: Share,
    /// The weights version that it was assigned under.
    #[schema(minimum = 1)]
    weights_version: u32,
}

/// The probability of a variant.
#[derive(ToSchema)]
struct PreviewWeight {
    /// The variant.
    variant: Key,
    /// Its probability.
    weight: Share,
}

/// The global holdout.
#[derive(ToSchema)]
struct PreviewHoldout {
    /// Its experiment.
    experiment: Key,
    /// Whether it keeps the unit from every treatment.
    held_out: bool,
}

/// The experiment that answers; the one behind the flag where an experience does.
#[derive(ToSchema)]
struct PreviewExperiment {
    /// Its key.
    key: Key,
    /// Whether units are assigned.
    running: bool,
    /// Whether they are shown nothing of it.
    shadow: bool,
    /// Whether only a key of scope server is told of it.
    server_only: bool,
    /// What became of its condition; none if it is for everyone.
    #[schema(required = true)]
    condition: Option<Clause>,
    /// The id that is drawn for: the person's, unless the unit was assigned something of its own before.
    drawn_for: UnitId,
    /// Where that stands.
    places: Places,
    /// What it was assigned before.
    #[schema(required = true)]
    earlier: Option<PreviewAssignment>,
    /// What it would be assigned.
    #[schema(required = true)]
    assigned: Option<PreviewAssignment>,
    /// The weights version in force.
    #[schema(minimum = 1)]
    weights_version: u32,
    /// Its weights.
    weights: Vec<PreviewWeight>,
}

/// A rule of an experience.
#[derive(ToSchema)]
struct PreviewRule {
    /// Its key.
    key: Key,
    /// The variant that it serves; none if an experiment decides.
    #[schema(required = true)]
    serve: Option<Key>,
    /// The experiment that decides what it serves; absent if it is one variant.
    #[schema(nullable = false)]
    experiment: Option<Key>,
    /// Whether it hits; null if that hangs on what another system says, and it could not be had.
    #[schema(required = true)]
    hits: Option<bool>,
    /// What became of its condition; none if it is for everyone.
    #[schema(required = true)]
    condition: Option<Clause>,
}

/// An experience on a flag.
#[derive(ToSchema)]
struct PreviewExperience {
    /// Its key.
    key: Key,
    /// Where it stands.
    status: ExperienceStatus,
    /// The highest is asked first, of equal ones the older.
    priority: i32,
    /// Whether only a key of scope server is told of it.
    server_only: bool,
    /// Whether its schedule is on.
    in_time: bool,
    /// Whether the shopper closed it and does not see it yet again.
    dismissed: bool,
    /// How the rules that hit break its hit policy, if they do.
    #[schema(required = true)]
    violation: Option<Violation>,
    /// Its rules, in their order.
    rules: Vec<PreviewRule>,
}

/// What a unit would get for a flag, and all that may answer.
#[derive(ToSchema)]
struct PreviewFlag {
    /// What a server would be answered, without a `decision_id`: nothing is logged.
    answer: Decision,
    /// The global holdout; absent if none runs, or it is what is asked for.
    #[schema(nullable = false)]
    holdout: Option<PreviewHoldout>,
    /// The experiment that answers, or else the one behind the flag; absent if there is none.
    #[schema(nullable = false)]
    experiment: Option<PreviewExperiment>,
    /// The experiences on it, the first to be asked first.
    experiences: Vec<PreviewExperience>,
}

/// What a unit would get, and why.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Preview {
    /// The unit as it was asked for.
    unit: UnitId,
    /// The id by which all of the person's are known.
    person: UnitId,
    /// The moment that the answer is about.
    at: Time,
    /// Each flag.
    flags: Vec<PreviewFlag>,
    /// Counts every change of what decisions are made on, since the server started.
    snapshot_version: u64,
}

/// What a link shows. Where several on the flag have a variant of this key, what answers on it is meant, unless
/// `experiment` or `experience` says otherwise.
#[derive(ToSchema)]
struct PreviewLinkFields {
    /// The flag.
    flag: String,
    /// The key of the variant.
    variant: String,
    /// The experiment whose variant it is.
    experiment: Option<String>,
    /// Which version of it; the newest if absent.
    #[schema(minimum = 0)]
    version: Option<u32>,
    /// The experience whose variant it is.
    experience: Option<String>,
    /// Until when it is good, within a year; 30 days if absent.
    expires_at: Option<Time>,
}

/// What a link shows.
pub(in crate::api::openapi) struct NewPreviewLink;

by_hand!(NewPreviewLink, closed(object_of::<PreviewLinkFields>()).into(), PreviewLinkFields::schemas);

/// A link that shows one variant to whoever opens it.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct PreviewLink {
    /// The flag.
    flag: String,
    /// The experiment whose variant it is; absent if it is an experience's.
    #[schema(nullable = false)]
    experiment: Option<Key>,
    /// The experience whose variant it is; absent if it is an experiment's.
    #[schema(nullable = false)]
    experience: Option<Key>,
    /// The variant.
    variant: Key,
    /// What is given as the attribute `podium_preview` of the context.
    token: String,
    /// What is put behind the address of a page with `podium.js`, or of `GET /api/v1/decide/{flag}`.
    #[schema(examples("podium_preview=AAAAAAAAACo"))]
    query: String,
    /// Until when it is good.
    expires_at: Time,
}

/// How many units a variant got.
#[derive(ToSchema)]
struct VariantSpread {
    /// The variant.
    key: Key,
    /// The units that are assigned to it.
    units: u64,
    /// The share that the weights want, in the mean over the units; none without units.
    #[schema(required = true)]
    wanted: Option<Share>,
    /// The share that it got.
    #[schema(required = true)]
    found: Option<Share>,
}

/// How an experiment spreads units, shown or not.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Spread {
    /// The experiment.
    experiment: Key,
    /// Its version.
    #[schema(minimum = 1)]
    version: u32,
    /// Whether it runs in the shadow.
    shadow: bool,
    /// The units that it has assigned.
    units: u64,
    /// Each variant, in the experiment's order.
    variants: Vec<VariantSpread>,
    /// The probability of so uneven a spread if nothing is wrong, by a chi-square test for those who look once; none while
    /// there is nothing to compare.
    #[schema(required = true)]
    p_value: Option<Share>,
    /// Units of weights versions that are gone: they are in no share.
    left_out: u64,
}
