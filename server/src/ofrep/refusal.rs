//! Every error of the protocol. Clients read the words: an invented one fails in them.

use crate::api::rate::shed;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde::Serialize;
use std::fmt;

/// An answer that is an error.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    body: Option<Body>,
    retry_after_s: Option<u64>,
    allow: Option<&'static str>,
}

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
    error_details: String,
}

/// What is wrong with a request, in the protocol's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    ParseError,
    InvalidContext,
    TargetingKeyMissing,
    FlagNotFound,
    General,
}

impl Code {
    /// The word for it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::ParseError => "PARSE_ERROR",
            Self::InvalidContext => "INVALID_CONTEXT",
            Self::TargetingKeyMissing => "TARGETING_KEY_MISSING",
            Self::FlagNotFound => "FLAG_NOT_FOUND",
            Self::General => "GENERAL",
        }
    }
}

impl Refusal {
    fn new(status: StatusCode, code: Option<Code>, details: impl Into<String>) -> Self {
        let error_code = code.map(Code::as_str);
        let body = Body { key: None, error_code, error_details: details.into() };
        Self { body: Some(body), ..Self::bare(status) }
    }

    fn bare(status: StatusCode) -> Self {
        Self { status, body: None, retry_after_s: None, allow: None }
    }

    /// The request is wrong.
    pub(super) fn bad(code: Code, details: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Some(code), details)
    }

    /// The body is too large.
    pub(super) fn too_large(details: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, Some(Code::General), details)
    }

    /// No such flag, or none for this key: the same answer, so that nobody can find out which.
    pub(super) fn unknown_flag(key: &str) -> Self {
        let details = "there is no such flag, or none for this key";
        Self::new(StatusCode::NOT_FOUND, Some(Code::FlagNotFound), details).of(key)
    }

    /// No key, a wrong one, or one that was revoked.
    pub(super) fn unauthorized() -> Self {
        Self::bare(StatusCode::UNAUTHORIZED)
    }

    /// A key that is not for pages of this origin.
    pub(super) fn forbidden() -> Self {
        Self::bare(StatusCode::FORBIDDEN)
    }

    /// Too much at once.
    pub(super) fn too_many(retry_after_s: u64) -> Self {
        shed("rate_limited");
        let details = format!("too many requests; come again in {retry_after_s} s");
        let refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, Some(Code::General), details);
        Self { retry_after_s: Some(retry_after_s), ..refusal }
    }

    /// Our fault.
    pub(super) fn internal(details: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, None, details)
    }

    /// Nothing is there.
    pub(super) fn unknown_path(request: &HttpRequest) -> Self {
        let details = format!("there is nothing at {}", request.path());
        Self::new(StatusCode::NOT_FOUND, Some(Code::General), details)
    }

    /// Something is there, for other methods.
    pub(super) fn wrong_method(request: &HttpRequest, methods: &'static str) -> Self {
        let details = format!("{} does not go with {}; use {methods}", request.method(), request.path());
        let refusal = Self::new(StatusCode::METHOD_NOT_ALLOWED, Some(Code::General), details);
        Self { allow: Some(methods), ..refusal }
    }

    /// The same, of one flag.
    pub(super) fn of(self, key: &str) -> Self {
        let body = self.body.map(|body| match body.error_code {
            Some(_) => Body { key: Some(key.to_owned()), ..body },
            None => body,
        });
        Self { body, ..self }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = self.body.as_ref().map_or("no body", |body| &body.error_details);
        write!(f, "{}: {details}", self.status)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after_s {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if let Some(methods) = self.allow {
            response.insert_header((header::ALLOW, HeaderValue::from_static(methods)));
        }
        match &self.body {
            Some(body) => response.json(body),
            None => response.finish(),
        }
    }
}
