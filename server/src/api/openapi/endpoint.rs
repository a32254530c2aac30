//! One operation of the document, put together from what all operations have in common.

use super::schema::{self, Problem};
use crate::auth::Scope;
use crate::problem::Kind;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::link::Link;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Components, Content, ContentBuilder, Header, Ref, RefOr, Required};

pub(super) const JSON: &str = "application/json";
pub(super) const HTML: &str = "text/html; charset=utf-8";
const PROBLEM: &str = "application/problem+json";

/// How a key may be presented.
pub(super) const SCHEMES: [&str; 3] = ["bearer", "api_key", "basic"];

/// One method of one path.
pub(super) struct Endpoint {
    pub(super) method: HttpMethod,
    pub(super) path: &'static str,
    operation: OperationBuilder,
    answers: Vec<(u16, ResponseBuilder)>,
    kinds: Vec<Kind>,
    schemas: schema::Named,
    shows_pages: bool,
}

impl Endpoint {
    /// An operation that is known by `id` in generated clients.
    pub(super) fn new(method: HttpMethod, path: &'static str, id: &str) -> Self {
        Self {
            method,
            path,
            operation: OperationBuilder::new().operation_id(Some(id)),
            answers: Vec::new(),
            kinds: Vec::new(),
            schemas: Vec::new(),
            shows_pages: false,
        }
    }

    /// What it is for: a line, and perhaps more.
    pub(super) fn says(mut self, summary: &str, description: &str) -> Self {
        self.operation = self.operation.summary(Some(summary));
        if !description.is_empty() {
            self.operation = self.operation.description(Some(description));
        }
        self
    }

    pub(super) fn tag(mut self, tag: &str) -> Self {
        self.operation = self.operation.tag(tag);
        self
    }

    /// Lets in keys of this scope and above.
    pub(super) fn needs(mut self, least: Scope) -> Self {
        let scopes: Vec<_> = [Scope::Publishable, Scope::Server, Scope::Admin]
            .into_iter()
            .filter(|scope| least <= *scope)
            .map(Scope::as_str)
            .collect();
        for scheme in SCHEMES {
            self.operation = self.operation.security(SecurityRequirement::new(scheme, scopes.clone()));
        }
        let forbidden = (least != Scope::Publishable).then_some(Kind::Forbidden);
        self.kinds.extend([Kind::Unauthorized].into_iter().chain(forbidden));
        self
    }

    /// Reads or writes the database.
    pub(super) fn stores(self) -> Self {
        self.fails(&[Kind::Internal, Kind::Unavailable])
    }

    /// Answers with problems of these kinds too.
    pub(super) fn fails(mut self, kinds: &[Kind]) -> Self {
        self.kinds.extend(kinds);
        self
    }

    pub(super) fn param(mut self, parameter: impl Into<Parameter>) -> Self {
        self.operation = self.operation.parameter(parameter);
        self
    }

    /// Which version of an experiment; the newest if absent.
    pub(super) fn of_version(self) -> Self {
        let version = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(f64::from(u32::MAX)))
            .build();
        let parameter = query("version", version, "Which version; the newest if absent.");
        self.param(parameter).fails(&[Kind::InvalidQuery, Kind::NotFound])
    }

    /// Reads a body, one of these types.
    pub(super) fn takes<T: ToSchema>(mut self, required: bool, types: &[&str], examples: Examples) -> Self {
        schema::add::<T>(&mut self.schemas);
        let required = if required { Required::True } else { Required::False };
        let body = RequestBodyBuilder::new().required(Some(required));
        let body =
            types.iter().fold(body, |body, media_type| body.content(*media_type, content_of::<T>(examples)));
        self.operation = self.operation.request_body(Some(body.build()));
        self.fails(&[Kind::BadJson, Kind::InvalidField, Kind::BodyTooLarge])
    }

    /// Needs to know which state the client saw.
    pub(super) fn guarded(self) -> Self {
        let etag = ObjectBuilder::new().schema_type(Type::String).pattern(Some(r#"^(\*|"[0-9]+")$"#));
        let parameter = ParameterBuilder::new()
            .name("If-Match")
            .parameter_in(ParameterIn::Header)
            .required(Required::True)
            .description(Some("The `ETag` of the state that the client saw, or `*` for whatever is there."))
            .schema(Some(etag.build()))
            .example(Some(json!("\"1\"")));
        self.param(parameter).fails(&[Kind::IfMatchMissing, Kind::EditConflict])
    }

    /// Answers with this body.
    pub(super) fn answers<T: ToSchema>(mut self, status: u16, description: &str, examples: Examples) -> Self {
        schema::add::<T>(&mut self.schemas);
        let response =
            ResponseBuilder::new().description(description).content(JSON, content_of::<T>(examples));
        self.answers.push((status, response));
        self
    }

    /// Answers with text.
    pub(super) fn answers_text(mut self, status: u16, description: &str, media_type: &str) -> Self {
        let text = ObjectBuilder::new().schema_type(Type::String).build();
        let response =
            ResponseBuilder::new().description(description).content(media_type, Content::new(Some(text)));
        self.answers.push((status, response));
        self
    }

    /// Answers without a body.
    pub(super) fn answers_nothing(mut self, status: u16, description: &str) -> Self {
        self.answers.push((status, ResponseBuilder::new().description(description)));
        self
    }

    /// The last answer has a header.
    pub(super) fn with_header(mut self, name: &str, header: Header) -> Self {
        if let Some((status, response)) = self.answers.pop() {
            self.answers.push((status, response.header(name, header)));
        }
        self
    }

    /// The last answer has what another operation takes as a parameter.
    ///
    /// - `from`: where, as a JSON pointer into the body.
    pub(super) fn leads_to(mut self, id: &str, parameter: &str, from: &str) -> Self {
        let link = Link::builder().operation_id(id).parameter(parameter, format!("$response.body#{from}"));
        if let Some((status, response)) = self.answers.pop() {
            self.answers.push((status, response.link(id, link.build())));
        }
        self
    }

    /// Shows errors as pages, too.
    pub(super) fn for_people(mut self) -> Self {
        self.shows_pages = true;
        self
    }

    /// The operation; what it refers to is put into `components`.
    pub(super) fn build(self, components: &mut Components) -> (HttpMethod, &'static str, OperationBuilder) {
        components.schemas.extend(self.schemas);
        let mut operation = self.operation;
        for (status, response) in self.answers {
            operation = operation.response(status.to_string(), response.build());
        }
        for (status, kinds) in by_status(&self.kinds) {
            // A query is read before anything else, and knows nothing of pages.
            let is_page = self.shows_pages && !kinds.contains(&Kind::InvalidQuery);
            let name = component_name(&kinds, is_page);
            let response = || problem_response(&kinds, is_page).into();
            components.responses.entry(name.clone()).or_insert_with(response);
            operation = operation.response(status.to_string(), RefOr::Ref(Ref::from_response_name(name)));
        }
        (self.method, self.path, operation)
    }
}

/// Named values, made when the document is.
pub(super) type Examples = fn() -> Vec<(&'static str, Value)>;

/// No examples.
pub(super) fn none() -> Vec<(&'static str, Value)> {
    Vec::new()
}

fn content_of<T: ToSchema>(examples: Examples) -> Content {
    let examples =
        examples().into_iter().map(|(name, value)| (name, ExampleBuilder::new().value(Some(value)).build()));
    ContentBuilder::new().schema(Some(Ref::from_schema_name(T::name()))).examples_from_iter(examples).build()
}

/// A query parameter that may be left out.
pub(super) fn query(name: &str, schema: impl Into<RefOr<Schema>>, description: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

/// How many entries a list has at most.
pub(super) fn limit(max: i64) -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(max as f64))
        .default(Some(json!(50)))
        .build();
    query("limit", schema, "How many entries at most.")
}

/// A part of the path.
pub(super) fn in_path(name: &str, description: &str, example: &str) -> Parameter {
    let schema = ObjectBuilder::new().schema_type(Type::String).build();
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(schema))
        .example(Some(json!(example)))
        .build()
}

/// A header with a text.
pub(super) fn text_header(description: &str, example: &str) -> Header {
    let text = ObjectBuilder::new().schema_type(Type::String).examples([example]).build();
    HeaderBuilder::new().schema(Some(text)).description(Some(description)).build()
}

/// The state of what was read, for `If-Match`.
pub(super) fn etag() -> Header {
    text_header("The state of the experiment, for `If-Match`; another one after every change.", "\"1\"")
}

fn by_status(kinds: &[Kind]) -> BTreeMap<u16, Vec<Kind>> {
    let mut by_status: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
    for kind in Kind::ALL.into_iter().filter(|kind| kinds.contains(kind)) {
        by_status.entry(kind.row().0.as_u16()).or_default().push(kind);
    }
    by_status
}

fn component_name(kinds: &[Kind], is_page: bool) -> String {
    let slugs: Vec<_> = kinds.iter().map(|kind| kind.row().1).collect();
    let page = if is_page { ".page" } else { "" };
    format!("{}{page}", slugs.join("-or-"))
}

fn problem_response(kinds: &[Kind], is_page: bool) -> Response {
    let lines: Vec<_> = kinds.iter().map(|kind| format!("`{}`: {}.", kind.row().1, kind.row().2)).collect();
    let mut response = ResponseBuilder::new().description(lines.join(" "));
    response = if is_page {
        let text = ObjectBuilder::new().schema_type(Type::String).build();
        response.content(HTML, Content::new(Some(text)))
    } else {
        let examples = kinds.iter().map(|kind| {
            let value = problem_example(*kind);
            (kind.row().1, ExampleBuilder::new().value(Some(value)).build())
        });
        let schema = Ref::from_schema_name(Problem::name());
        let content = ContentBuilder::new().schema(Some(schema)).examples_from_iter(examples);
        response.content(PROBLEM, content.build())
    };
    for kind in kinds {
        response = match kind {
            Kind::QueueFull | Kind::Unavailable => {
                let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).build();
                let header = HeaderBuilder::new()
                    .schema(Some(seconds))
                    .description(Some("How long to wait before the next try, in seconds."));
                response.header("Retry-After", header.build())
            }
            Kind::Unauthorized => {
                response.header("WWW-Authenticate", text_header("How to present a key.", "Bearer"))
            }
            Kind::EditConflict => {
                response.header("ETag", text_header("The state that the experiment is in.", "\"2\""))
            }
            _ => response,
        };
    }
    response.build()
}

fn problem_example(kind: Kind) -> Value {
    let (status, slug, title) = kind.row();
    let (pointer, detail) = match kind {
        Kind::BadJson => (Some(""), "EOF while parsing an object at line 1 column 17"),
        Kind::InvalidField => (Some("/variants/0/weight"), "a weight is a number >= 0"),
        Kind::InvalidQuery => (None, "Query deserialize error: invalid digit found in string"),
        Kind::Unauthorized => (None, "this key is unknown or was revoked"),
        Kind::Forbidden => (None, "this needs a key of scope admin, this one has server"),
        Kind::NotFound => (None, "there is no experiment `checkout-banner`"),
        Kind::MethodNotAllowed => (None, "PUT /api/v1/keys does not exist; /openapi.json lists what does"),
        Kind::ExperimentKeyTaken => (
            Some("/key"),
            "there is an experiment `checkout-banner` already; make a new version of it, or choose another key",
        ),
        Kind::FlagKeyTaken => (Some("/flag_key"), "flag `banner` belongs to experiment `summer-banner`"),
        Kind::IllegalTransition => {
            (None, "cannot pause an experiment that is draft; it allows: start, archive")
        }
        Kind::NeedsNewVersion => (
            Some("/variants"),
            "`/variants` cannot change while the experiment is running: its figures would mix two questions",
        ),
        Kind::EditConflict => (None, "the experiment was changed meanwhile"),
        Kind::BodyTooLarge => (None, "a body has at most 1048576 bytes"),
        Kind::UnknownMetric => (Some("/primary_metric/metric"), "no plugin offers `conversions`"),
        Kind::MetricConfig => (Some("/primary_metric/config"), "unknown field `amout`, expected `amount`"),
        Kind::ExclusionGroupFull => (
            Some("/exclusion_group/share"),
            "exclusion group `checkout` has no free slot of share 0.5; the largest one has 0.25",
        ),
        Kind::UnknownChannel => {
            (Some("/channel"), "no channel `mail` is set up; PUT /api/v1/channels/mail sets one up")
        }
        Kind::ChannelSettings => (Some("/settings"), "missing field `host`"),
        Kind::UnknownFlag => (Some("/flag"), "there is no flag `winter-mail`"),
        Kind::ContentRefused => (Some("/flag"), "variant `short`: `subject`: missing"),
        Kind::IdempotencyKeyMissing => (
            None,
            "send `Idempotency-Key` with 1 to 255 characters: the same key is the same request, however often it comes",
        ),
        Kind::IdempotencyKeyReused => {
            (None, "this `Idempotency-Key` was used for another request; use a new one")
        }
        Kind::WebhookRefused => (None, "the signature is not the provider's"),
        Kind::IfMatchMissing => (None, "send `If-Match` with the ETag that a GET gives, or `*`"),
        Kind::QueueFull => (None, "the queue is full; send the same events again later"),
        Kind::Internal => (None, "something is wrong on our side; the operator's log says what"),
        Kind::Unavailable => (None, "the database is not available; try again in a moment"),
    };
    let mut body = json!({
        "type": format!("/problems/{slug}"),
        "title": title,
        "status": status.as_u16(),
        "instance": "/api/v1/experiments/checkout-banner",
        "detail": pointer.map_or_else(|| detail.to_owned(), |pointer| {
            format!("{}: {detail}", if pointer.is_empty() { "/" } else { pointer })
        }),
    });
    if let Some(pointer) = pointer {
        body["errors"] = json!([{ "pointer": pointer, "detail": detail }]);
    }
    body
}
