//! Every error of the protocol. Some clients take one without a code and a message for a broken network.

use crate::api::rate::shed;
use crate::app::IntakeError;
use crate::auth::Refused;
use crate::ingest::queue::IngestError;
use crate::problem::retry_after_s;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde_json::json;
use std::fmt;

/// What is wrong. Codes never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    BadJson,
    UnknownKey,
    ForeignOrigin,
    NotFound,
    MethodNotAllowed,
    BodyTooSlow,
    BodyTooLarge,
    RateLimited,
    QueueFull,
    StoreAway,
    Internal,
    Draining,
}

impl Code {
    fn row(self) -> (StatusCode, &'static str) {
        match self {
            Self::BadJson => (StatusCode::BAD_REQUEST, "bad_json"),
            Self::UnknownKey => (StatusCode::UNAUTHORIZED, "unknown_key"),
            Self::ForeignOrigin => (StatusCode::FORBIDDEN, "foreign_origin"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::BodyTooSlow => (StatusCode::REQUEST_TIMEOUT, "body_too_slow"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            // The one status after which clients wait as long as they are told and lose nothing.
            Self::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
            Self::QueueFull => (StatusCode::TOO_MANY_REQUESTS, "queue_full"),
            Self::StoreAway => (StatusCode::TOO_MANY_REQUESTS, "store_away"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            Self::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
        }
    }
}

/// An answer that is an error.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    code: Code,
    message: String,
    allow: Option<&'static str>,
}

impl Refusal {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), allow: None }
    }

    /// The body is no JSON, or not compressed as it says, or holds no events.
    pub(super) fn bad_json(message: impl Into<String>) -> Self {
        Self::new(Code::BadJson, message)
    }

    /// No key, or one that lets nobody in.
    pub(super) fn unknown_key() -> Self {
        let message = "send a key that is known and not revoked: as the user name of Basic, or as `writeKey`";
        Self::new(Code::UnknownKey, message)
    }

    /// Nothing is here.
    pub(super) fn unknown_path(http: &HttpRequest) -> Self {
        Self::new(Code::NotFound, format!("there is nothing at {}", http.path()))
    }

    /// Something is here, but not for this method.
    pub(super) fn wrong_method(http: &HttpRequest, methods: &'static str) -> Self {
        let message = format!("{} does not go with {}; use {methods}", http.method(), http.path());
        Self { allow: Some(methods), ..Self::new(Code::MethodNotAllowed, message) }
    }

    /// The body does not come.
    pub(super) fn body_too_slow(within_s: u64) -> Self {
        Self::new(Code::BodyTooSlow, format!("the body did not arrive within {within_s} seconds"))
    }

    /// The body is larger than is taken.
    pub(super) fn body_too_large(most: usize) -> Self {
        Self::new(Code::BodyTooLarge, format!("a body has at most {most} bytes once it is decompressed"))
    }

    /// Too many requests.
    pub(super) fn rate_limited() -> Self {
        Self::new(Code::RateLimited, "too many requests at once; send the same again after `Retry-After`")
    }

    /// The server is on its way out.
    pub(super) fn draining() -> Self {
        Self::new(Code::Draining, "the server is shutting down; send the same again after `Retry-After`")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.code.row().0
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let (status, code) = self.code.row();
        let mut response = HttpResponse::build(status);
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            response.insert_header((header::RETRY_AFTER, retry_after_s()));
        }
        if let Some(allow) = self.allow {
            response.insert_header((header::ALLOW, allow));
        }
        response.json(json!({ "success": false, "code": code, "message": self.message }))
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Unknown => Self::unknown_key(),
            Refused::Origin => Self::new(Code::ForeignOrigin, "this key is for pages of other origins"),
        }
    }
}

impl From<IntakeError> for Refusal {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Bad(bad) => Self::bad_json(bad.to_string()),
            IntakeError::Ingest(IngestError::Full(_)) => {
                shed("queue_full");
                Self::new(Code::QueueFull, "the queue is full; send the same again after `Retry-After`")
            }
            IntakeError::Ingest(IngestError::Store(error)) if error.may_pass() => {
                shed("store_away");
                let message = "the database is not available; send the same again after `Retry-After`";
                Self::new(Code::StoreAway, message)
            }
            IntakeError::Ingest(IngestError::Store(error)) => {
                tracing::error!(%error, "store");
                Self::new(Code::Internal, "something is wrong on our side; the operator's log says what")
            }
            IntakeError::Ingest(IngestError::Closed) => Self::draining(),
        }
    }
}
