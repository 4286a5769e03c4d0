//! What is measured of every request, and how the operator reads it.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Bounds in seconds: a fifth of the 95 % goal of 50 ms, up to the time limit of a request.
const SECONDS: [f64; 11] = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
/// The template of requests that no route matched: paths are not labels, as anybody can make up more of them.
const NO_ROUTE: &str = "none";

/// The metrics of all requests of a service.
#[derive(Clone, Debug)]
pub(crate) struct HttpMetrics {
    service: &'static str,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    in_flight: Family<ServiceLabels, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    service: &'static str,
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    service: &'static str,
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ServiceLabels {
    service: &'static str,
}

impl HttpMetrics {
    pub(crate) fn register(registry: &mut Registry, service: &'static str) -> Self {
        let durations: fn() -> Histogram = || Histogram::new(SECONDS);
        let metrics = HttpMetrics {
            service,
            requests: Family::default(),
            durations: Family::new_with_constructor(durations),
            in_flight: Family::default(),
        };
        // The library adds `_total`.
        registry.register("http_requests", "Requests answered", metrics.requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "Time from a request's head to its answer's head, event streams left out",
            metrics.durations.clone(),
        );
        registry.register("http_requests_in_flight", "Requests in work", metrics.in_flight.clone());
        metrics
    }
}

/// The layer that counts and times.
pub(crate) async fn measure(State(metrics): State<HttpMetrics>, request: Request, next: Next) -> Response {
    let service = metrics.service;
    let route = request.extensions().get::<MatchedPath>().map_or(NO_ROUTE, MatchedPath::as_str).to_owned();
    let method = known(request.method());
    let in_flight = InFlight::begin(metrics.in_flight.get_or_create(&ServiceLabels { service }).clone());
    let began = Instant::now();
    let response = next.run(request).await;
    drop(in_flight);
    let status = response.status().as_u16();
    // A stream begins at once, whatever the rest of the service does.
    if !is_stream(&response) {
        let of_route = RouteLabels { service, route: route.clone() };
        metrics.durations.get_or_create(&of_route).observe(began.elapsed().as_secs_f64());
    }
    metrics.requests.get_or_create(&RequestLabels { service, method, route, status }).inc();
    response
}

fn is_stream(response: &Response) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|media_type| media_type == "text/event-stream")
}

/// Counts a request as in work for as long as it lives: also one whose client hangs up.
struct InFlight(Gauge);

impl InFlight {
    fn begin(gauge: Gauge) -> Self {
        gauge.inc();
        InFlight(gauge)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// `/metrics`, in the OpenMetrics text format.
pub(crate) fn router(registry: Arc<Registry>) -> Router {
    const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let encode = move || async move {
        let mut page = String::new();
        match text::encode(&mut page, &registry) {
            Ok(()) => ([(header::CONTENT_TYPE, MEDIA_TYPE)], page).into_response(),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot encode: {error}\n")).into_response(),
        }
    };
    Router::new().route("/metrics", get(encode))
}
