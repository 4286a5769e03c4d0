//! Opening streams.

#![allow(unused_qualifications, reason = "utoipa's macro writes them")]

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use futures_util::stream;
use service_kit::Problem;
use service_kit::input::Parameters;
use utoipa::IntoParams;

use super::reader::{Asked, Reader};
use crate::analytics::windows::check_product_id;
use crate::gateway::Gateway;
use crate::routes::Access;

/// The header by which a client says how far it was.
pub(crate) const LAST_EVENT_ID: &str = "last-event-id";
/// The same for tools that set no headers.
const LAST_EVENT_ID_PARAMETER: &str = "last_event_id";

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what last_event_id reads")]
struct IdParameter {
    /// The same as the header `Last-Event-ID`, which goes before it.
    #[param(required = false, example = "0:123,1:99")]
    last_event_id: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "describes what last_event_id reads")]
struct IdHeader {
    /// The `id` of the last event that the client has got: the stream goes on behind it, at whichever replica.
    #[param(rename = "Last-Event-ID", required = false)]
    last_event_id: String,
}

/// Follow the counts of all products
///
/// Server-sent events that do not end: `window` with a count, as soon as it changes; `watermark` every 5 seconds, with how fresh
/// counts are; `reset` where the stream cannot go on from the id that was sent, and begins anew. It begins with the counts of
/// the minutes that are not over.
#[utoipa::path(
    get,
    path = "/analytics/stream",
    tag = "analytics",
    operation_id = "streamCounts",
    params(IdHeader, IdParameter),
    responses((status = 200, description = "Events, until one side hangs up", content((String = "text/event-stream"))))
)]
pub(in crate::analytics) async fn stream_counts(
    State(gateway): State<Gateway>,
    parameters: Parameters,
    request: Request,
) -> Result<Response, Problem> {
    open(&gateway, request, parameters, None).await
}

/// Follow the counts of a product
///
/// As `/analytics/stream`, with the counts of one product alone.
#[utoipa::path(
    get,
    path = "/analytics/products/{id}/stream",
    tag = "analytics",
    operation_id = "streamProductCounts",
    params(("id" = String, Path, description = "The product's id, as events name it.", min_length = 1, max_length = 256), IdHeader, IdParameter),
    responses((status = 200, description = "Events, until one side hangs up", content((String = "text/event-stream"))))
)]
pub(in crate::analytics) async fn stream_product_counts(
    State(gateway): State<Gateway>,
    Path(product_id): Path<String>,
    parameters: Parameters,
    request: Request,
) -> Result<Response, Problem> {
    open(&gateway, request, parameters, Some(product_id)).await
}

async fn open(
    gateway: &Gateway,
    request: Request,
    parameters: Parameters,
    product_id: Option<String>,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    gateway.admit(&parts, Access::Public).await?;
    let asked = asked(&parts, parameters)?;
    product_id.as_deref().map_or(Ok(()), check_product_id)?;
    let reader = Reader::open(gateway.analytics(), product_id, asked)?;
    let frames = stream::unfold(reader, |mut reader| async move {
        let frame = reader.next().await?;
        Some((Ok::<_, Infallible>(frame), reader))
    });
    let mut response = Response::new(Body::from_stream(frames));
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // Proxies that collect answers would keep events for themselves.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// From where on the client wants events.
fn asked(parts: &Parts, mut parameters: Parameters) -> Result<Asked, Problem> {
    let parameter = parameters.optional(LAST_EVENT_ID_PARAMETER, |id| Ok(id.to_owned()));
    parameters.finish()?;
    let id = match parts.headers.get(LAST_EVENT_ID) {
        Some(id) => Some(id.to_str().unwrap_or("unreadable").to_owned()),
        None => parameter,
    };
    // Before its first event, a client may send an empty one.
    Ok(id.filter(|id| !id.is_empty()).map_or(Asked::Nothing, |id| Asked::After(id.parse().ok())))
}
