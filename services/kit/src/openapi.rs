//! The part of the API's description that is the same for every operation: its problems, and who may call it.

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{OpenApi, PathItem, Ref, RefOr};
use utoipa::{IntoParams, ToSchema};

use crate::Kind;
use crate::problem::MEDIA_TYPE;

/// The name of the security scheme of bearer tokens.
pub const BEARER: &str = "bearer";

/// A problem (RFC 9457), as every error is answered.
#[derive(ToSchema)]
#[schema(as = Problem)]
#[allow(dead_code, reason = "describes what Problem writes")]
struct ProblemBody {
    /// What kind of problem there is; leads to a page about it.
    #[schema(example = "/problems/validation-failed")]
    r#type: String,
    /// The same for every problem of the kind.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What caused it and what helps.
    detail: String,
    /// The path of the request.
    instance: String,
    /// Finds the request in logs.
    trace_id: String,
    /// Every fault of the request.
    #[schema(required = false)]
    errors: Vec<FaultBody>,
}

/// A fault of a request.
#[derive(ToSchema)]
#[schema(as = Fault)]
#[allow(dead_code, reason = "describes what Problem writes")]
struct FaultBody {
    /// Where in the body it lies (RFC 6901).
    #[schema(required = false)]
    pointer: String,
    /// In which query parameter or header it lies.
    #[schema(required = false)]
    parameter: String,
    /// What it is, for programs.
    code: String,
    /// What it is, for people.
    detail: String,
}

/// The query parameters of every list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what PageRequest reads")]
pub struct PageParameters {
    /// How many items at most.
    #[param(minimum = 1, maximum = 200, default = 50, required = false)]
    limit: u16,
    /// Where to go on: `next_cursor` of the page before.
    #[param(required = false)]
    cursor: String,
}

/// The header of requests that can be sent again.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "describes what Keyed reads")]
pub struct IdempotencyKeyHeader {
    /// Names the request: sent again with the same key, it gets the same answer and does nothing.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 255, required = false)]
    idempotency_key: String,
}

/// The header of changes that are made to a version.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "describes what Preconditions reads")]
pub struct IfMatchHeader {
    /// The `ETag` of the version that is changed.
    #[param(rename = "If-Match", required = false)]
    if_match: String,
}

/// The header of reads by a client that has a version.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "describes what Preconditions reads")]
pub struct IfNoneMatchHeader {
    /// The `ETag` of the version that the client has.
    #[param(rename = "If-None-Match", required = false)]
    if_none_match: String,
}

/// Adds to every operation what the kit answers in its place.
#[must_use]
pub fn complete(mut api: OpenApi) -> OpenApi {
    for item in api.paths.paths.values_mut() {
        for operation in operations(item) {
            for status in statuses(operation) {
                operation.responses.responses.entry(status.as_str().to_owned()).or_insert_with(|| {
                    let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
                    let content = ContentBuilder::new().schema(Some(schema)).build();
                    let kinds: Vec<_> = Kind::ALL.iter().filter(|kind| kind.status() == status).collect();
                    let titles: Vec<_> = kinds.iter().map(|kind| kind.title()).collect();
                    ResponseBuilder::new()
                        .description(titles.join("; or: "))
                        .content(MEDIA_TYPE, content)
                        .build()
                        .into()
                });
            }
        }
    }
    let components = api.components.get_or_insert_default();
    let mut schemas = Vec::new();
    <ProblemBody as ToSchema>::schemas(&mut schemas);
    schemas.push(("Problem".to_owned(), <ProblemBody as utoipa::PartialSchema>::schema()));
    schemas.push(("Fault".to_owned(), <FaultBody as utoipa::PartialSchema>::schema()));
    components.schemas.extend(schemas);
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT or session token").build();
    components.security_schemes.insert(BEARER.to_owned(), SecurityScheme::Http(bearer).into());
    api
}

/// The operations of a path.
pub fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete].into_iter().flatten()
}

/// The error statuses that an operation of this shape can have.
fn statuses(operation: &Operation) -> Vec<axum::http::StatusCode> {
    let parameters = operation.parameters.as_deref().unwrap_or_default();
    let has = |place: ParameterIn, name: Option<&str>| {
        parameters.iter().any(|parameter| match parameter {
            RefOr::T(parameter) => parameter.parameter_in == place && name.is_none_or(|name| parameter.name == name),
            RefOr::Ref(_) => false,
        })
    };
    let mut kinds = vec![
        Kind::MalformedRequest,
        Kind::Unauthenticated,
        Kind::RateLimited,
        Kind::Internal,
        Kind::Overloaded,
        Kind::Timeout,
    ];
    if operation.security.is_some() {
        kinds.push(Kind::Forbidden);
    }
    if has(ParameterIn::Path, None) {
        kinds.push(Kind::NotFound);
    }
    if operation.request_body.is_some() {
        kinds.extend([Kind::BodyTooLarge, Kind::UnsupportedMediaType, Kind::ValidationFailed]);
    }
    if has(ParameterIn::Header, Some("Idempotency-Key")) {
        kinds.push(Kind::RequestInProgress);
    }
    if has(ParameterIn::Header, Some("If-Match")) {
        kinds.extend([Kind::StaleVersion, Kind::PreconditionRequired]);
    }
    kinds.into_iter().map(Kind::status).collect()
}

/// The requirement of a bearer token, for operations that are not public.
#[must_use]
pub fn bearer_required() -> SecurityRequirement {
    SecurityRequirement::new::<_, [&str; 0], &str>(BEARER, [])
}
