//! Who must not be contacted.

use super::{Key, Time, by_hand, closed, object_of};
use utoipa::ToSchema;

/// What must not be sent: marketing, because the recipient does not want it; or anything, because the address does not
/// work.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum SuppressionScope {
    Marketing,
    All,
}

/// An address not to be contacted any more.
#[derive(ToSchema)]
struct NewSuppressionFields {
    /// The channel; it need not be set up yet.
    channel: Key,
    /// The address in any spelling: the text that it is, or that identifies it in an object. At most 4,096 bytes,
    /// without NUL.
    #[schema(min_length = 1, max_length = 4096, examples("ann@example.com"))]
    address: String,
    /// What must not be sent.
    #[schema(required = false, default = "marketing")]
    scope: SuppressionScope,
    /// Why; at most 4,096 bytes, without NUL.
    #[schema(required = false, default = "", max_length = 4096)]
    reason: String,
}

/// An address not to be contacted any more.
pub(in crate::api::openapi) struct NewSuppression;

by_hand!(NewSuppression, closed(object_of::<NewSuppressionFields>()).into(), NewSuppressionFields::schemas);

/// An address that must not be contacted.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Suppression {
    /// The channel.
    channel: Key,
    /// The address, in the form that is the same for all its spellings.
    address: String,
    /// What must not be sent.
    scope: SuppressionScope,
    /// Why: `unsubscribed`, `bounced`, `complained`, or the words that it was suppressed with.
    reason: String,
    /// Since when.
    created_at: Time,
}

/// Who must not be contacted on a channel, in the order of their addresses.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct SuppressionPage {
    /// The addresses.
    data: Vec<Suppression>,
    /// What to ask for the next page with; null on the last one.
    #[schema(required = true)]
    next_cursor: Option<String>,
}
