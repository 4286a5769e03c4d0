//! `/analytics/products/{id}/windows`: a product's counts, minute by minute.

#![allow(unused_qualifications, reason = "utoipa's macro writes them")]

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use schemas::{EventTime, FieldCode, MAX_ID_BYTES, TopicRow, Window};
use serde::{Deserialize, Serialize};
use service_kit::Problem;
use service_kit::input::{Parameters, Refusal};
use service_kit::openapi::PageParameters;
use service_kit::page::{PageRequest, next_link};
use utoipa::{IntoParams, ToSchema};

use super::freshness::Freshness;
use super::row::{WindowCount, newest_first};
use super::{Analytics, csv};
use crate::gateway::Gateway;
use crate::routes::Access;

/// The minutes that are asked for, by their number since 1970.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Span {
    first: Option<u32>,
    /// Behind the last.
    end: Option<u32>,
}

type WindowsRequest = PageRequest<Span, u32>;

/// A page of counts.
#[derive(Serialize, ToSchema)]
struct WindowsPage {
    /// The last minute first.
    items: Vec<WindowCount>,
    /// Where to go on; `null` at the end.
    next_cursor: Option<String>,
    freshness: Freshness,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what list_windows reads")]
struct SpanParameters {
    /// Minutes that begin at this time or later, RFC 3339.
    #[param(required = false, example = "2024-01-01T12:00:00Z")]
    from: String,
    /// Minutes that begin before this time, RFC 3339.
    #[param(required = false, example = "2024-01-01T13:00:00Z")]
    to: String,
}

/// A product's counts, minute by minute
///
/// How many different users looked at the product in each minute, the last minute first. Minutes in which nobody looked are
/// left out. Counts of different minutes do not add up: the same user may have looked in both.
#[utoipa::path(
    get,
    path = "/analytics/products/{id}/windows",
    tag = "analytics",
    params(("id" = String, Path, description = "The product's id, as events name it.", min_length = 1, max_length = 256), SpanParameters, PageParameters),
    responses((status = 200, description = "Counts", content((WindowsPage = "application/json"), (String = "text/csv"))))
)]
pub(super) async fn list_windows(
    State(gateway): State<Gateway>,
    Path(product_id): Path<String>,
    parameters: Parameters,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    gateway.admit(&parts, Access::Public).await?;
    let path = parts.uri.path();
    let request = read(path, parameters)?;
    check_product_id(&product_id)?;
    let analytics = gateway.analytics();
    let rows = analytics.rows(&product_id, &request).await?;
    let (items, next_cursor) = request.cut(path, rows, |last| last.row.window.ordinal())?;
    let items: Vec<_> = items.into_iter().map(WindowCount::from).collect();
    let link = next_cursor.as_ref().map(|cursor| next_link(path, request.limit, cursor)).transpose()?;
    let mut response = if wants_csv(&parts.headers) {
        csv::answer(&items)?
    } else {
        let freshness = analytics.status.freshness().await?;
        Json(WindowsPage { items, next_cursor, freshness }).into_response()
    };
    if let Some(link) = link {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

impl Analytics {
    async fn rows(&self, product_id: &str, request: &WindowsRequest) -> Result<Vec<TopicRow>, Problem> {
        // Behind the last minute that is wanted: the request's own end, or the last minute of the page before.
        let end = request.after.or(request.filters.end).unwrap_or(u32::MAX);
        let first = Window::from_ordinal(request.filters.first.unwrap_or(0));
        let Some(last) = end.checked_sub(1).map(|last| Window::from_ordinal(last.min(LAST_MINUTE))) else {
            return Ok(Vec::new());
        };
        if first > last {
            return Ok(Vec::new());
        }
        let wanted = request.limit + 1;
        let mut rows = self.history.newest(product_id, first, last, wanted).await?;
        rows.extend(self.recent.rows(product_id, first, last));
        let mut rows = newest_first(rows);
        rows.truncate(wanted);
        Ok(rows)
    }
}

/// Refuses an id that no event can have.
pub(super) fn check_product_id(product_id: &str) -> Result<(), Problem> {
    if product_id.len() > MAX_ID_BYTES {
        return Err(Problem::not_found(format!("no product has an id of more than {MAX_ID_BYTES} bytes")));
    }
    Ok(())
}

/// The minute in which the year 9999 ends: later ones have no name.
const LAST_MINUTE: u32 = 4_223_371_679;

fn read(path: &str, mut parameters: Parameters) -> Result<WindowsRequest, Problem> {
    let first = parameters.optional("from", first_minute_from);
    let end = parameters.optional("to", first_minute_from);
    PageRequest::read(path, parameters, Span { first, end })
}

/// The first minute that begins at this time or later.
fn first_minute_from(text: &str) -> Result<u32, Refusal> {
    let time = EventTime::parse(text.as_bytes())
        .map_err(|what| Refusal::new(FieldCode::InvalidFormat, format!("is {text:?}: {what}")))?;
    let window = Window::of(time);
    Ok(if window.start_millis() == time.millis() { window.ordinal() } else { window.ordinal() + 1 })
}

/// Whether a CSV file is preferred to JSON.
fn wants_csv(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or("");
    let place =
        |media_type: &str| accept.split(',').position(|part| part.split(';').next().unwrap_or("").trim() == media_type);
    match (place(csv::MEDIA_TYPE), place("application/json")) {
        (Some(csv), Some(json)) => csv < json,
        (csv, _) => csv.is_some(),
    }
}
