//! What is known of a request from its first moment: its ids, for logs, traces and problems.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use rand::RngExt as _;
use tracing::Instrument as _;
use uuid::Builder;

use crate::Problem;
use crate::service::Named;

/// The header that names a request in logs, in and out.
pub const REQUEST_ID: &str = "x-request-id";
/// The header of W3C Trace Context, in and out.
pub const TRACEPARENT: &str = "traceparent";
/// The longest request id that is taken over.
const MAX_REQUEST_ID_BYTES: usize = 128;

/// What identifies a request.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The path, without the query: it may hold a write key.
    pub path: String,
    /// The caller's id of the request, or one of ours.
    pub request_id: String,
    /// Where in a distributed trace it stands.
    pub trace: TraceContext,
}

/// A position in a distributed trace (<https://www.w3.org/TR/trace-context/>, version 00).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

impl TraceContext {
    /// A new trace, not sampled.
    #[must_use]
    pub fn start() -> Self {
        let mut random = rand::rng();
        TraceContext { trace_id: random.random::<u128>().max(1), span_id: random.random::<u64>().max(1), flags: 0 }
    }

    /// The caller's position, where its header is valid.
    fn parse(header: &str) -> Option<Self> {
        let parts: Vec<&str> = header.split('-').collect();
        let is_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let (version, [trace_id, span_id, flags]) = (*parts.first()?, parts.get(1..4)?.try_into().ok()?);
        let lengths = [version.len(), str::len(trace_id), str::len(span_id), str::len(flags)];
        if lengths != [2, 32, 16, 2] || !parts.iter().take(4).all(|part| is_hex(part)) || version == "ff" {
            return None;
        }
        if version == "00" && parts.len() != 4 {
            return None;
        }
        let context = TraceContext {
            trace_id: u128::from_str_radix(trace_id, 16).ok()?,
            span_id: u64::from_str_radix(span_id, 16).ok()?,
            flags: u8::from_str_radix(flags, 16).ok()?,
        };
        (context.trace_id != 0 && context.span_id != 0).then_some(context)
    }

    /// A step of its own in the same trace.
    fn child(&self) -> Self {
        TraceContext { span_id: rand::rng().random::<u64>().max(1), ..self.clone() }
    }

    /// The trace's id: 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// The header for calls that the request leads to.
    #[must_use]
    pub fn header(&self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

impl RequestContext {
    /// Of work that no request asked for, such as a relay's.
    #[must_use]
    pub fn of_our_own() -> Self {
        RequestContext { path: String::new(), request_id: new_request_id(), trace: TraceContext::start() }
    }

    fn of(request: &Request) -> Self {
        let headers = request.headers();
        let trace = text(headers, TRACEPARENT).and_then(TraceContext::parse).map(|caller| caller.child());
        let is_usable =
            |id: &&str| (1..=MAX_REQUEST_ID_BYTES).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
        RequestContext {
            path: request.uri().path().to_owned(),
            request_id: text(headers, REQUEST_ID).filter(is_usable).map_or_else(new_request_id, str::to_owned),
            trace: trace.unwrap_or_else(TraceContext::start),
        }
    }
}

/// An id that sorts by time (UUID version 7). `Uuid::now_v7` would ask the system for randomness at every request.
fn new_request_id() -> String {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
    Builder::from_unix_timestamp_millis(millis, &rand::rng().random()).into_uuid().to_string()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The outermost layer: gives a request its ids, a span for its log lines, and problems their body.
pub(crate) async fn identify(State(service): State<Named>, mut request: Request, next: Next) -> Response {
    let context = RequestContext::of(&request);
    let span = tracing::info_span!(
        "request",
        service = service.name,
        version = service.version,
        trace_id = context.trace.trace_id(),
        request_id = context.request_id,
        method = %request.method(),
        path = context.path,
    );
    request.extensions_mut().insert(context.clone());
    let mut response = next.run(request).instrument(span).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        problem.render(&context, &mut response);
    }
    if let Ok(id) = HeaderValue::from_str(&context.request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

impl<S: Send + Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let context = parts.extensions.get::<RequestContext>().cloned();
        context.ok_or_else(|| Problem::internal("the request was not identified: no layer of the kit is around it"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_trace_is_gone_on_with_as_a_step_of_its_own() {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let caller = TraceContext::parse(header).unwrap();
        assert_eq!(caller.header(), header);
        let ours = caller.child();
        assert_eq!(ours.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_ne!(ours, caller);
    }

    #[test]
    fn request_ids_are_uuids_of_version_7_and_differ() {
        let (one, other) = (new_request_id(), new_request_id());
        assert_ne!(one, other);
        assert_eq!(uuid::Uuid::parse_str(&one).unwrap().get_version_num(), 7);
    }

    #[test]
    fn a_header_that_is_no_trace_is_none() {
        for header in [
            "",
            "00",
            "00-0-0-0",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what",
        ] {
            assert_eq!(TraceContext::parse(header), None, "{header:?}");
        }
    }
}
