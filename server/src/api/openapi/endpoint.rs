//! One operation of the document, put together from what all operations have in common.

use super::problems::{by_status, component_name, problem_response};
use super::schema;
use crate::auth::Scope;
use crate::problem::Kind;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::link::Link;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Components, Content, ContentBuilder, Header, Ref, RefOr, Required};

pub(super) const JSON: &str = "application/json";
pub(super) const HTML: &str = "text/html; charset=utf-8";

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
        self.fails(&[Kind::Unauthorized, Kind::Forbidden])
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

    /// Reads a body, one of these types; one that is wrong is a problem.
    pub(super) fn takes<T: ToSchema>(self, required: bool, types: &[&str], examples: Examples) -> Self {
        let taking = self.brings::<T>(required, types, examples);
        taking.fails(&[Kind::BadJson, Kind::InvalidField, Kind::BodyTooLarge])
    }

    /// Comes with a body, one of these types.
    pub(super) fn brings<T: ToSchema>(mut self, required: bool, types: &[&str], examples: Examples) -> Self {
        schema::add::<T>(&mut self.schemas);
        let required = if required { Required::True } else { Required::False };
        let body = RequestBodyBuilder::new().required(Some(required));
        let body =
            types.iter().fold(body, |body, media_type| body.content(*media_type, content_of::<T>(examples)));
        self.operation = self.operation.request_body(Some(body.build()));
        self
    }

    /// Reads a body of any type.
    pub(super) fn takes_anything(mut self, description: &str) -> Self {
        let body = RequestBodyBuilder::new().description(Some(description)).required(Some(Required::False));
        self.operation = self.operation.request_body(Some(body.content("*/*", Content::default()).build()));
        self.fails(&[Kind::BadJson, Kind::BodyTooLarge])
    }

    /// Needs to know which request it is, so that it counts once.
    pub(super) fn idempotent(self) -> Self {
        let key = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(255));
        let parameter = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .required(Required::True)
            .description(Some(
                "Names the request, in visible ASCII: the same key and body count once, however often they come.",
            ))
            .schema(Some(key.build()))
            .example(Some(json!("winter-2026-11-27")));
        self.param(parameter).fails(&[Kind::IdempotencyKeyMissing, Kind::IdempotencyKeyReused])
    }

    /// Needs to know which state the client saw.
    pub(super) fn guarded(self) -> Self {
        self.guarded_if(Required::True)
    }

    /// The same if there is one already.
    pub(super) fn guarded_if_there(self) -> Self {
        self.guarded_if(Required::False)
    }

    fn guarded_if(self, required: Required) -> Self {
        let etag = ObjectBuilder::new().schema_type(Type::String).pattern(Some(r#"^(\*|"[0-9]+")$"#));
        let parameter = ParameterBuilder::new()
            .name("If-Match")
            .parameter_in(ParameterIn::Header)
            .required(required)
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

    /// Answers with bytes.
    pub(super) fn answers_bytes(mut self, status: u16, description: &str, media_type: &str) -> Self {
        let response =
            ResponseBuilder::new().description(description).content(media_type, Content::default());
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

/// A query parameter that must be there.
pub(super) fn needed_query(name: &str, schema: impl Into<RefOr<Schema>>, description: &str) -> Parameter {
    let mut parameter = query(name, schema, description);
    parameter.required = Required::True;
    parameter
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
    text_in(ParameterIn::Path, name, (description, example))
}

/// A header of a request.
pub(super) fn in_header(name: &str, description: &str, example: &str) -> Parameter {
    text_in(ParameterIn::Header, name, (description, example))
}

fn text_in(place: ParameterIn, name: &str, (description, example): (&str, &str)) -> Parameter {
    let schema = ObjectBuilder::new().schema_type(Type::String).build();
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
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
    text_header("The state, for `If-Match`; another one after every change.", "\"1\"")
}
