//! Other systems that conditions may ask.

use super::{Key, Time, add, by_hand, closed, object_of, plain, reference};
use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::schema::{AdditionalProperties, Type};

/// A secret by its name, looked up where the server runs.
#[derive(ToSchema)]
struct SecretNameFields {
    /// The name.
    #[schema(examples("ERP_TOKEN"))]
    secret: String,
}

/// A secret by its name, looked up where the server runs.
struct SecretName;

by_hand!(SecretName, closed(object_of::<SecretNameFields>()).into(), SecretNameFields::schemas);

/// Headers that are sent.
struct SourceHeaders;

by_hand!(
    SourceHeaders,
    plain(Type::Object)
        .description(Some(
            "At most 20 headers. Each is a secret as a whole, such as `Bearer …`, and named as those of channels are.",
        ))
        .additional_properties(Some(AdditionalProperties::RefOr(reference::<SecretName>())))
        .examples([json!({"authorization": {"secret": "ERP_TOKEN"}})])
        .into(),
    |schemas| add::<SecretName>(schemas)
);

/// How a source is to be asked.
#[derive(ToSchema)]
struct SourceFields {
    /// The address, `http` or `https` without a user, with `{unit}` in its path or query, where the unit is put
    /// percent-encoded. It leads to the public internet, on port 80 or 443, unless the server allows others.
    #[schema(max_length = 2000, examples("https://erp.example/customers/{unit}"))]
    url: String,
    /// How long a decision waits for it, in milliseconds; 50 if absent.
    #[schema(required = false, minimum = 1, maximum = 200, default = 50)]
    timeout_ms: i64,
    /// How long what it says of a unit is remembered, in seconds; 300 if absent.
    #[schema(required = false, minimum = 1, maximum = 86_400, default = 300)]
    ttl_s: i64,
    /// Headers that are sent; none if absent.
    #[schema(required = false)]
    headers: SourceHeaders,
}

/// How a source is to be asked.
pub(in crate::api::openapi) struct SourceChange;

by_hand!(SourceChange, closed(object_of::<SourceFields>()).into(), SourceFields::schemas);

/// A new source.
#[derive(ToSchema)]
struct NewSourceFields {
    /// Its name in conditions.
    key: Key,
    /// The address, `http` or `https` without a user, with `{unit}` in its path or query, where the unit is put
    /// percent-encoded. It leads to the public internet, on port 80 or 443, unless the server allows others.
    #[schema(max_length = 2000, examples("https://erp.example/customers/{unit}"))]
    url: String,
    /// How long a decision waits for it, in milliseconds; 50 if absent.
    #[schema(required = false, minimum = 1, maximum = 200, default = 50)]
    timeout_ms: i64,
    /// How long what it says of a unit is remembered, in seconds; 300 if absent.
    #[schema(required = false, minimum = 1, maximum = 86_400, default = 300)]
    ttl_s: i64,
    /// Headers that are sent; none if absent.
    #[schema(required = false)]
    headers: SourceHeaders,
}

/// A new source.
pub(in crate::api::openapi) struct NewSource;

by_hand!(NewSource, closed(object_of::<NewSourceFields>()).into(), NewSourceFields::schemas);

/// A system that conditions may ask.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Source {
    /// Its name in conditions.
    key: Key,
    /// The address, with `{unit}` where the unit is put.
    url: String,
    /// How long a decision waits for it, in milliseconds.
    #[schema(minimum = 1, maximum = 200)]
    timeout_ms: i64,
    /// How long what it says of a unit is remembered, in seconds.
    #[schema(minimum = 1, maximum = 86_400)]
    ttl_s: i64,
    /// Headers that are sent.
    headers: SourceHeaders,
    /// Why the last call failed, as far as this server knows since it was started or the source was changed.
    #[schema(required = true)]
    trouble: Option<String>,
    /// Counts its changes.
    #[schema(minimum = 1)]
    revision: i64,
    /// When it was registered.
    created_at: Time,
    /// When it was changed last.
    updated_at: Time,
}

/// Sources in the order of their keys.
#[derive(ToSchema)]
pub(in crate::api::openapi) struct Sources {
    /// The sources.
    data: Vec<Source>,
    /// Always null: all of them are on one page.
    #[schema(required = true)]
    next_cursor: Option<String>,
}
