//! What happened to experiments, and how they are to end.

use super::{Key, Time, by_hand, closed, object_of, plain};
use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::schema::{AdditionalProperties, Type};

/// What happened: `paused` by the automation names in its detail the variant that does harm (`harming`); `edited` has
/// `changes`, a difference (`from`, `to`) for each JSON pointer; `retracted` has the `finding` that does not hold any
/// more; `dry_run` has what the automation `would` have done; `undone` has the `history_id` of what was taken back.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum HistoryKind {
    Registered,
    Edited,
    Started,
    Paused,
    Concluded,
    Archived,
    VariantAdded,
    VariantRemoved,
    Winner,
    Harmful,
    GuardrailBreached,
    Imbalance,
    Retracted,
    DryRun,
    Undone,
}

/// What else there is to say, by the kind.
pub(super) struct HistoryDetail;

by_hand!(
    HistoryDetail,
    plain(Type::Object)
        .description(Some("What else there is to say, by the kind."))
        .additional_properties(Some(AdditionalProperties::FreeForm(true)))
        .examples([json!({"served": "banner", "reason": null, "before": "running"})])
        .into()
);

/// One thing that happened to an experiment.
#[derive(ToSchema)]
struct HistoryEntry {
    /// What to undo it by.
    id: i64,
    /// When.
    at: Time,
    /// Who: the name of a key, `schedule`, or `podium` for what no person did.
    actor: String,
    /// What happened.
    kind: HistoryKind,
    /// What else there is to say.
    detail: HistoryDetail,
    /// The entry that took it back.
    #[schema(required = true)]
    undone_by: Option<i64>,
}

/// What happened to an experiment, the newest first.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct HistoryPage {
    /// The entries.
    data: Vec<HistoryEntry>,
    /// What to give as `cursor` for the next page; none on the last one.
    #[schema(required = true)]
    next_cursor: Option<i64>,
}

/// How an experiment is to end.
#[derive(ToSchema)]
struct ConclusionFields {
    /// The variant that everyone gets; the winner, or else the control, if absent.
    serve: Option<Key>,
    /// Why; needed for a variant that is neither the winner nor the control.
    #[schema(min_length = 1, max_length = 2000)]
    reason: Option<String>,
}

/// How an experiment is to end.
pub(in crate::api::openapi) struct Conclusion;

by_hand!(Conclusion, closed(object_of::<ConclusionFields>()).into(), ConclusionFields::schemas);

/// What is to be taken back.
#[derive(ToSchema)]
struct UndoingFields {
    /// The entry of the history; the last one that can be undone if absent.
    history_id: Option<i64>,
    /// Why.
    #[schema(min_length = 1, max_length = 2000)]
    reason: Option<String>,
}

/// What is to be taken back.
pub(in crate::api::openapi) struct Undoing;

by_hand!(Undoing, closed(object_of::<UndoingFields>()).into(), UndoingFields::schemas);
