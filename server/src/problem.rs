//! Every error a client of our API can get: the one place that knows status codes.

use crate::api::request::etag;
use crate::app::{EditError, IntakeError, RegisterError, ReportError, TrackError};
use crate::ingest::body::BadBody;
use crate::ingest::queue::IngestError;
use crate::store::StoreError;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use podium_core::experiment::Fault;
use serde::Serialize;
use std::fmt;

tokio::task_local! {
    /// The path of the request that is being answered.
    pub(crate) static INSTANCE: String;
}

/// The kinds of problem. Slugs never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    BadJson,
    InvalidField,
    InvalidQuery,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    ExperimentKeyTaken,
    ExperienceKeyTaken,
    AudienceKeyTaken,
    AudienceInUse,
    SourceKeyTaken,
    SourceInUse,
    TooManySources,
    ExternalDataOff,
    FlagKeyTaken,
    IllegalTransition,
    NothingToRollBack,
    CannotUndo,
    TooManyWebhooks,
    NeedsNewVersion,
    EditConflict,
    BodyTooLarge,
    UnknownMetric,
    MetricConfig,
    ExclusionGroupFull,
    UnknownChannel,
    ChannelSettings,
    UnknownFlag,
    ContentRefused,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    WebhookRefused,
    IfMatchMissing,
    QueueFull,
    RateLimited,
    Internal,
    Unavailable,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 38] = [
        Self::BadJson,
        Self::InvalidField,
        Self::InvalidQuery,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::ExperimentKeyTaken,
        Self::ExperienceKeyTaken,
        Self::AudienceKeyTaken,
        Self::AudienceInUse,
        Self::SourceKeyTaken,
        Self::SourceInUse,
        Self::TooManySources,
        Self::ExternalDataOff,
        Self::FlagKeyTaken,
        Self::IllegalTransition,
        Self::NothingToRollBack,
        Self::CannotUndo,
        Self::TooManyWebhooks,
        Self::NeedsNewVersion,
        Self::EditConflict,
        Self::BodyTooLarge,
        Self::UnknownMetric,
        Self::MetricConfig,
        Self::ExclusionGroupFull,
        Self::UnknownChannel,
        Self::ChannelSettings,
        Self::UnknownFlag,
        Self::ContentRefused,
        Self::IdempotencyKeyMissing,
        Self::IdempotencyKeyReused,
        Self::WebhookRefused,
        Self::IfMatchMissing,
        Self::QueueFull,
        Self::RateLimited,
        Self::Internal,
        Self::Unavailable,
    ];

    /// Status, slug and title.
    pub(crate) fn row(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::BadJson => (StatusCode::BAD_REQUEST, "bad-json", "The body is not the JSON it should be"),
            Self::InvalidField => (StatusCode::BAD_REQUEST, "invalid-field", "A field cannot be what it is"),
            Self::InvalidQuery => {
                (StatusCode::BAD_REQUEST, "invalid-query", "A query parameter cannot be what it is")
            }
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "Who are you?"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "This key may not do that"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not there"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Not with this method")
            }
            Self::ExperimentKeyTaken => (StatusCode::CONFLICT, "experiment-key-taken", "The key is taken"),
            Self::ExperienceKeyTaken => (StatusCode::CONFLICT, "experience-key-taken", "The key is taken"),
            Self::AudienceKeyTaken => (StatusCode::CONFLICT, "audience-key-taken", "The key is taken"),
            Self::AudienceInUse => (StatusCode::CONFLICT, "audience-in-use", "Something asks for it"),
            Self::SourceKeyTaken => (StatusCode::CONFLICT, "source-key-taken", "The key is taken"),
            Self::SourceInUse => (StatusCode::CONFLICT, "source-in-use", "Something asks for it"),
            Self::TooManySources => (StatusCode::CONFLICT, "too-many-sources", "There are enough sources"),
            Self::ExternalDataOff => (StatusCode::CONFLICT, "external-data-off", "No other system is asked"),
            Self::FlagKeyTaken => (StatusCode::CONFLICT, "flag-key-taken", "The flag is taken"),
            Self::IllegalTransition => (StatusCode::CONFLICT, "illegal-transition", "Not in this state"),
            Self::NothingToRollBack => (StatusCode::CONFLICT, "nothing-to-roll-back", "Nothing ran before"),
            Self::CannotUndo => (StatusCode::CONFLICT, "cannot-undo", "That cannot be undone"),
            Self::TooManyWebhooks => (StatusCode::CONFLICT, "too-many-webhooks", "There are enough webhooks"),
            Self::NeedsNewVersion => (StatusCode::CONFLICT, "needs-new-version", "That needs a new version"),
            Self::EditConflict => {
                (StatusCode::PRECONDITION_FAILED, "edit-conflict", "Somebody changed it meanwhile")
            }
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large"),
            Self::UnknownMetric => (StatusCode::UNPROCESSABLE_ENTITY, "unknown-metric", "No such metric"),
            Self::MetricConfig => {
                (StatusCode::UNPROCESSABLE_ENTITY, "metric-config", "The metric will not have these settings")
            }
            Self::ExclusionGroupFull => {
                (StatusCode::UNPROCESSABLE_ENTITY, "exclusion-group-full", "No room in the exclusion group")
            }
            Self::UnknownChannel => (StatusCode::UNPROCESSABLE_ENTITY, "unknown-channel", "No such channel"),
            Self::ChannelSettings => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "channel-settings",
                "The channel will not have these settings",
            ),
            Self::UnknownFlag => (StatusCode::UNPROCESSABLE_ENTITY, "unknown-flag", "No such flag"),
            Self::ContentRefused => {
                (StatusCode::UNPROCESSABLE_ENTITY, "content-refused", "The channel cannot send this content")
            }
            Self::IdempotencyKeyMissing => {
                (StatusCode::BAD_REQUEST, "idempotency-key-missing", "Say which request it is")
            }
            Self::IdempotencyKeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "The key belongs to another request",
            ),
            Self::WebhookRefused => {
                (StatusCode::BAD_REQUEST, "webhook-refused", "The webhook is not the provider's")
            }
            Self::IfMatchMissing => {
                (StatusCode::PRECONDITION_REQUIRED, "if-match-missing", "Say which state you saw")
            }
            Self::QueueFull => (StatusCode::TOO_MANY_REQUESTS, "queue-full", "Too much at once"),
            Self::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "rate-limited", "Too many requests"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Our fault"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Try again"),
        }
    }
}

/// An answer that is an error, as RFC 9457 has it.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    kind: Kind,
    detail: String,
    errors: Vec<Fault>,
    etag: Option<String>,
    allow: Option<&'static str>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: Vec<ErrorBody<'a>>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    pointer: &'a str,
    detail: &'a str,
}

/// How long a client waits before it tries again, in seconds: long enough for a bucket to hold a token again, and not the
/// same for all.
pub(crate) fn retry_after_s() -> u32 {
    1 + rand::random::<u32>() % 3
}

impl Problem {
    /// A problem with a text that says what to do.
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new(), etag: None, allow: None }
    }

    /// A field that cannot be what it is.
    pub(crate) fn field(kind: Kind, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let (pointer, detail) = (pointer.into(), detail.into());
        let shown = if pointer.is_empty() { "/".to_owned() } else { pointer.clone() };
        let text = format!("{shown}: {detail}");
        Self { kind, detail: text, errors: vec![Fault { pointer, detail }], etag: None, allow: None }
    }

    pub(crate) fn faults(kind: Kind, faults: Vec<Fault>) -> Self {
        let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
        Self { kind, detail: lines.join("; "), errors: faults, etag: None, allow: None }
    }

    /// Points into the whole that what was read is a part of.
    ///
    /// - `part`: where the part stands in it.
    pub(crate) fn within(self, part: &str) -> Self {
        Self {
            detail: format!("{part}{}", self.detail),
            errors: self.errors.into_iter().map(|fault| fault.below(part)).collect(),
            ..self
        }
    }

    /// Which kind it is.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// With the methods that would be right.
    pub(crate) fn with_allow(self, allow: &'static str) -> Self {
        Self { allow: Some(allow), ..self }
    }

    /// With the state that the client should have seen.
    pub(crate) fn with_etag(self, revision: i64) -> Self {
        Self { etag: Some(etag(revision)), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.kind.row().0
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let (status, slug, title) = self.kind.row();
        let errors =
            self.errors.iter().map(|fault| ErrorBody { pointer: &fault.pointer, detail: &fault.detail });
        let body = Body {
            r#type: format!("/problems/{slug}"),
            title,
            status: status.as_u16(),
            detail: &self.detail,
            instance: INSTANCE.try_with(String::clone).ok(),
            errors: errors.collect(),
        };
        let mut response = HttpResponse::build(status);
        response.content_type("application/problem+json");
        if matches!(self.kind, Kind::QueueFull | Kind::RateLimited | Kind::Unavailable) {
            response.insert_header((header::RETRY_AFTER, retry_after_s()));
        }
        if self.kind == Kind::Unauthorized {
            response.insert_header((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        if let Some(etag) = &self.etag {
            response.insert_header((header::ETAG, etag.as_str()));
        }
        if let Some(allow) = self.allow {
            response.insert_header((header::ALLOW, allow));
        }
        response.body(serde_json::to_vec(&body).unwrap_or_default())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => {
                tracing::error!(%error, "store");
                Self::new(Kind::Unavailable, "the database is not available; try again in a moment")
            }
            StoreError::Conflict(_) => {
                Self::new(Kind::EditConflict, "somebody else was faster; read it again")
            }
            StoreError::Corrupt(_) | StoreError::Query(_) => {
                tracing::error!(%error, "store");
                Self::new(Kind::Internal, "something is wrong on our side; the operator's log says what")
            }
        }
    }
}

impl From<IngestError> for Problem {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Full(_) => {
                Self::new(Kind::QueueFull, "the queue is full; send the same events again later")
            }
            IngestError::Store(error) => error.into(),
            IngestError::Closed => Self::new(Kind::Unavailable, "the server is shutting down; try again"),
        }
    }
}

impl From<IntakeError> for Problem {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Bad(bad @ BadBody::NotJson(_)) => Self::field(Kind::BadJson, "", bad.to_string()),
            IntakeError::Bad(BadBody::Shape { pointer, detail }) => {
                Self::field(Kind::InvalidField, pointer, detail)
            }
            IntakeError::Ingest(error) => error.into(),
        }
    }
}

impl From<TrackError> for Problem {
    fn from(error: TrackError) -> Self {
        match error {
            TrackError::Store(error) => error.into(),
            TrackError::Ingest(error) => error.into(),
        }
    }
}

impl From<ReportError> for Problem {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::NotFound(_) => Self::new(Kind::NotFound, error.to_string()),
            ReportError::Store(error) => error.into(),
        }
    }
}

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        let detail = error.to_string();
        match error {
            RegisterError::Invalid(faults) => Self::faults(Kind::InvalidField, faults),
            RegisterError::Metric(fault) if fault.pointer.ends_with("/config") => {
                Self::faults(Kind::MetricConfig, vec![fault])
            }
            RegisterError::Metric(fault) => Self::faults(Kind::UnknownMetric, vec![fault]),
            RegisterError::UnknownChannel(fault) => Self::faults(Kind::UnknownChannel, vec![fault]),
            RegisterError::Content(fault) => Self::faults(Kind::ContentRefused, vec![fault]),
            RegisterError::Away(_) => Self::new(Kind::Unavailable, detail),
            RegisterError::KeyTaken(_) => Self::field(Kind::ExperimentKeyTaken, "/key", detail),
            RegisterError::FlagTaken { .. } => Self::field(Kind::FlagKeyTaken, "/flag_key", detail),
            RegisterError::GroupFull { .. } => {
                Self::field(Kind::ExclusionGroupFull, "/exclusion_group/share", detail)
            }
            RegisterError::SlotTaken { .. } => {
                Self::field(Kind::ExclusionGroupFull, "/exclusion_group/start", detail)
            }
            RegisterError::Track(error) => error.into(),
            RegisterError::Store(error) => error.into(),
        }
    }
}

impl From<EditError> for Problem {
    fn from(error: EditError) -> Self {
        let detail = error.to_string();
        match error {
            EditError::NotFound(_) => Self::new(Kind::NotFound, detail),
            EditError::Stale { revision } => Self::new(Kind::EditConflict, detail).with_etag(revision),
            EditError::Illegal(_) => Self::new(Kind::IllegalTransition, detail),
            EditError::NeedsNewVersion { pointer, .. } => Self::field(Kind::NeedsNewVersion, pointer, detail),
            EditError::CannotUndo(_) => Self::new(Kind::CannotUndo, detail),
            EditError::Invalid(error) => error.into(),
        }
    }
}
