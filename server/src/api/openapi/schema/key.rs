//! Keys, and the pages that they are for.

use super::{Time, by_hand, closed, object_of};
use utoipa::ToSchema;

/// What a key may do; each scope may what the one before it may.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum Scope {
    Publishable,
    Server,
    Admin,
}

/// Where a page comes from, as browsers say it: a scheme, a host in Punycode, and a port if it is not the usual one.
#[derive(ToSchema)]
#[schema(
    value_type = String,
    pattern = r"^[A-Za-z][A-Za-z0-9+.-]*://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?$",
    max_length = 300,
    examples("https://shop.example")
)]
struct Origin(String);

/// A key to be made.
#[derive(ToSchema)]
struct NewApiKeyFields {
    /// What it may do.
    scope: Scope,
    /// What people call it.
    #[schema(required = false, default = "", max_length = 200)]
    name: String,
    /// Of a publishable key: the origins of the pages that it is for; of any if there is none.
    #[schema(required = false, max_items = 100)]
    origins: Vec<Origin>,
}

/// A key to be made.
pub(in crate::api::openapi) struct NewApiKey;

by_hand!(NewApiKey, closed(object_of::<NewApiKeyFields>()).into(), NewApiKeyFields::schemas);

/// The pages that a key is for.
#[derive(ToSchema)]
struct KeyOriginsFields {
    /// Their origins; none for any.
    #[schema(max_items = 100)]
    origins: Vec<Origin>,
}

/// The pages that a key is for.
pub(in crate::api::openapi) struct KeyOrigins;

by_hand!(KeyOrigins, closed(object_of::<KeyOriginsFields>()).into(), KeyOriginsFields::schemas);

/// A key that was made just now.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct MintedKey {
    /// Its public part.
    id: String,
    /// What it may do.
    scope: Scope,
    /// What people call it.
    name: String,
    /// The key itself: keep it, it is not shown again (except for a publishable one).
    #[schema(pattern = "^podium_(adm|srv|pub)_[0-9a-f]+_[0-9a-f]+$")]
    key: String,
    /// The origins of the pages that it is for; of any if there is none.
    origins: Vec<Origin>,
    /// When it was made.
    created_at: Time,
    /// When it was revoked.
    #[schema(required = true)]
    revoked_at: Option<Time>,
}

/// A key.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct ApiKey {
    /// Its public part.
    id: String,
    /// What it may do.
    scope: Scope,
    /// What people call it.
    name: String,
    /// The key itself, of a publishable one: it stands in every page's source anyway.
    #[schema(nullable = false)]
    key: Option<String>,
    /// The origins of the pages that it is for; of any if there is none.
    origins: Vec<Origin>,
    /// When it was made.
    created_at: Time,
    /// When it was revoked; from then on it lets nobody in.
    #[schema(required = true)]
    revoked_at: Option<Time>,
}

/// Keys, without secrets.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct ApiKeys {
    /// The keys.
    data: Vec<ApiKey>,
}
