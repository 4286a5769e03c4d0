//! Errors as clients see them: problem details (RFC 9457).

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemas::FieldCode;
use serde_json::{Map, Value, json};

use crate::RequestContext;

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What kind of problem there is: a closed list. Each has a page of its own, to which `type` leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request cannot be read: no JSON, or a query, header or cursor that makes no sense.
    MalformedRequest,
    /// Nobody is logged in, or the credentials are not valid.
    Unauthenticated,
    /// The caller is known, and may not do this.
    Forbidden,
    /// There is no such thing, or not for this caller.
    NotFound,
    /// The resource has no such method.
    MethodNotAllowed,
    /// Fewer pieces are in stock than asked for.
    InsufficientStock,
    /// The order's status does not lead to the one asked for.
    IllegalTransition,
    /// Another customer has the e-mail address.
    EmailTaken,
    /// The customer has an order that has not ended.
    OpenOrders,
    /// The cart has changed since it was read.
    CartChanged,
    /// A request with the same idempotency key is running.
    RequestInProgress,
    /// The resource is no longer in the version that the request names.
    StaleVersion,
    /// The body is too long, or has too many items.
    BodyTooLarge,
    /// The body is not JSON by its type.
    UnsupportedMediaType,
    /// The body can be read, and breaks rules.
    ValidationFailed,
    /// The idempotency key was used for another body.
    IdempotencyKeyReused,
    /// The request must say which version it changes.
    PreconditionRequired,
    /// The caller sends too many requests.
    RateLimited,
    /// The service has too much to do.
    Overloaded,
    /// Something that the service needs does not answer.
    DependencyUnavailable,
    /// The answer would have taken too long.
    Timeout,
    /// A defect of ours.
    Internal,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 22] = [
        Kind::MalformedRequest,
        Kind::Unauthenticated,
        Kind::Forbidden,
        Kind::NotFound,
        Kind::MethodNotAllowed,
        Kind::InsufficientStock,
        Kind::IllegalTransition,
        Kind::EmailTaken,
        Kind::OpenOrders,
        Kind::CartChanged,
        Kind::RequestInProgress,
        Kind::StaleVersion,
        Kind::BodyTooLarge,
        Kind::UnsupportedMediaType,
        Kind::ValidationFailed,
        Kind::IdempotencyKeyReused,
        Kind::PreconditionRequired,
        Kind::RateLimited,
        Kind::Overloaded,
        Kind::DependencyUnavailable,
        Kind::Timeout,
        Kind::Internal,
    ];

    /// The last part of the problem's `type`, and the name of its page.
    #[must_use]
    pub const fn slug(self) -> &'static str {
        self.row().0
    }

    /// The status that it is answered with.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        self.row().1
    }

    /// The problem in a few words, the same for every occurrence.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.row().2
    }

    const fn row(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Kind::MalformedRequest => ("malformed-request", StatusCode::BAD_REQUEST, "The request cannot be read"),
            Kind::Unauthenticated => ("unauthenticated", StatusCode::UNAUTHORIZED, "Valid credentials are needed"),
            Kind::Forbidden => ("forbidden", StatusCode::FORBIDDEN, "The caller may not do this"),
            Kind::NotFound => ("not-found", StatusCode::NOT_FOUND, "There is no such thing"),
            Kind::MethodNotAllowed => {
                ("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, "The resource has no such method")
            }
            Kind::InsufficientStock => ("insufficient-stock", StatusCode::CONFLICT, "Not enough pieces are in stock"),
            Kind::IllegalTransition => {
                ("illegal-transition", StatusCode::CONFLICT, "The status does not lead to the one asked for")
            }
            Kind::EmailTaken => ("email-taken", StatusCode::CONFLICT, "Another customer has this e-mail address"),
            Kind::OpenOrders => ("open-orders", StatusCode::CONFLICT, "The customer has open orders"),
            Kind::CartChanged => ("cart-changed", StatusCode::CONFLICT, "The cart has changed"),
            Kind::RequestInProgress => {
                ("request-in-progress", StatusCode::CONFLICT, "The same request is being answered")
            }
            Kind::StaleVersion => ("stale-version", StatusCode::PRECONDITION_FAILED, "The resource has changed"),
            Kind::BodyTooLarge => ("body-too-large", StatusCode::PAYLOAD_TOO_LARGE, "The body is too large"),
            Kind::UnsupportedMediaType => {
                ("unsupported-media-type", StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body must be JSON")
            }
            Kind::ValidationFailed => {
                ("validation-failed", StatusCode::UNPROCESSABLE_ENTITY, "The request breaks rules")
            }
            Kind::IdempotencyKeyReused => (
                "idempotency-key-reused",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The idempotency key was used for another request",
            ),
            Kind::PreconditionRequired => {
                ("precondition-required", StatusCode::PRECONDITION_REQUIRED, "The request must say what it changes")
            }
            Kind::RateLimited => ("rate-limited", StatusCode::TOO_MANY_REQUESTS, "Too many requests"),
            Kind::Overloaded => ("overloaded", StatusCode::SERVICE_UNAVAILABLE, "The service has too much to do"),
            Kind::DependencyUnavailable => {
                ("dependency-unavailable", StatusCode::SERVICE_UNAVAILABLE, "Something needed does not answer")
            }
            Kind::Timeout => ("timeout", StatusCode::GATEWAY_TIMEOUT, "The answer took too long"),
            Kind::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong here"),
        }
    }
}

/// Where in a request a fault lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the body, at this JSON pointer (RFC 6901).
    Pointer(String),
    /// In this query parameter or header.
    Parameter(String),
}

/// One fault of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it lies.
    pub place: Place,
    /// What it is, for programs.
    pub code: FieldCode,
    /// What it is and what would be right, for people.
    pub detail: String,
}

impl Fault {
    fn to_json(&self) -> Value {
        let Fault { place, code, detail } = self;
        match place {
            Place::Pointer(pointer) => json!({"pointer": pointer, "code": code, "detail": detail}),
            Place::Parameter(parameter) => json!({"parameter": parameter, "code": code, "detail": detail}),
        }
    }
}

/// An error and what it came from, in one line.
#[must_use]
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        // Some errors tell their cause themselves.
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

/// An error on its way to the client. The layers around a service add what they know of the request.
#[derive(Clone, Debug)]
pub struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
    faults: Vec<Fault>,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem and, in a sentence, what caused it and what helps.
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        let problem =
            Problem { kind, detail: detail.into(), faults: Vec::new(), members: Map::new(), headers: Vec::new() };
        match kind {
            Kind::Unauthenticated => problem.with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            Kind::Overloaded | Kind::DependencyUnavailable | Kind::RateLimited | Kind::RequestInProgress => {
                problem.with_retry_after(Duration::from_secs(1))
            }
            _ => problem,
        }
    }

    /// A request whose parts have these faults: 422 where they lie in the body, else 400.
    #[must_use]
    pub fn of_faults(faults: Vec<Fault>) -> Self {
        let in_body = |fault: &Fault| matches!(fault.place, Place::Pointer(_));
        let kind = if faults.iter().any(in_body) { Kind::ValidationFailed } else { Kind::MalformedRequest };
        let detail = match faults.as_slice() {
            [fault] => fault.detail.clone(),
            faults => format!("{} faults; each is told in errors", faults.len()),
        };
        Problem { faults, ..Problem::new(kind, detail) }
    }

    /// A header or query parameter that cannot be read.
    pub fn parameter(name: &str, code: FieldCode, detail: impl Into<String>) -> Self {
        Self::of_faults(vec![Fault { place: Place::Parameter(name.to_owned()), code, detail: detail.into() }])
    }

    /// The problem that another service told, for our client: what it says of the client's request is told on. That it does
    /// not know us, or failed, is no fault of the client's.
    pub(crate) fn told(status: StatusCode, body: &[u8]) -> Self {
        let mut members: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
        let mut text = |name| match members.remove(name) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        let (slug, detail) = (text("type"), text("detail"));
        let slug = slug.strip_prefix("/problems/").unwrap_or_default();
        let kind = Kind::ALL.into_iter().find(|kind| kind.slug() == slug && kind.status() == status);
        match kind {
            // What stands between the services answers in their place, without a problem.
            None if matches!(status.as_u16(), 502..=504) => Problem::unavailable("another service", status),
            None | Some(Kind::Unauthenticated | Kind::Forbidden | Kind::Internal) => {
                Problem::internal(format_args!("another service answered {status}: {detail:?}"))
            }
            Some(kind) => {
                for name in ["title", "status", "instance", "trace_id"] {
                    members.remove(name);
                }
                // Parameters are passed on as they came, but bodies are of our own making.
                if kind != Kind::MalformedRequest {
                    members.remove("errors");
                }
                Problem { members, ..Problem::new(kind, detail) }
            }
        }
    }

    /// There is nothing there, or not for this caller.
    pub fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Problem::new(Kind::NotFound, detail)
    }

    /// A defect: logged with its cause, and told without it.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "internal error");
        Problem::new(Kind::Internal, "the request failed by a defect of ours; it is logged under trace_id")
    }

    /// Something that is needed does not answer: logged with its cause.
    pub fn unavailable(what: &'static str, cause: impl std::fmt::Display) -> Self {
        tracing::warn!(dependency = what, %cause, "dependency unavailable");
        Problem::new(Kind::DependencyUnavailable, format!("{what} does not answer; try again in a moment"))
    }

    /// Adds a member of this problem's own, such as `available`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// When to try again, in whole seconds, at least one.
    #[must_use]
    pub fn with_retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1_000).max(1);
        match HeaderValue::from_str(&seconds.to_string()) {
            Ok(value) => self.with_header(header::RETRY_AFTER, value),
            Err(_) => self,
        }
    }

    /// Adds or replaces a header of the answer.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.retain(|(present, _)| *present != name);
        self.headers.push((name, value));
        self
    }

    /// What kind it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The faults that it tells.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Gives the answer its body, of what is known of the request.
    pub(crate) fn render(&self, context: &RequestContext, response: &mut Response) {
        let mut body = Map::new();
        body.insert("type".to_owned(), format!("/problems/{}", self.kind.slug()).into());
        body.insert("title".to_owned(), self.kind.title().into());
        body.insert("status".to_owned(), self.kind.status().as_u16().into());
        body.insert("detail".to_owned(), self.detail.as_ref().into());
        body.insert("instance".to_owned(), context.path.as_str().into());
        body.insert("trace_id".to_owned(), context.trace.trace_id().into());
        if !self.faults.is_empty() {
            body.insert("errors".to_owned(), self.faults.iter().map(Fault::to_json).collect());
        }
        body.extend(self.members.clone());
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        *response.body_mut() = Body::from(Value::Object(body).to_string());
    }
}

impl IntoResponse for Problem {
    /// The body comes last, from the layer that knows the request.
    fn into_response(self) -> Response {
        let mut response = self.kind.status().into_response();
        response.headers_mut().extend(self.headers.iter().cloned());
        response.extensions_mut().insert(self);
        response
    }
}
