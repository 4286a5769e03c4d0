//! `POST /events`.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use service_kit::Problem;
use service_kit::auth::{Caller, Role};
use service_kit::input::RawBody;
use utoipa::ToSchema;

use crate::Activity;
use crate::batch::Batch;
use crate::judge::Rejection;

/// Who may send events: everybody who showed some credentials.
const SENDERS: [Role; 4] = [Role::Writer, Role::Customer, Role::Service, Role::Admin];

/// What became of the events of a request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Receipt {
    /// How many will be counted: Kafka has acknowledged them.
    #[schema(minimum = 1)]
    accepted: usize,
    /// Those that will not be, and why.
    rejected: Vec<Rejection>,
}

/// Send events
///
/// Takes one event or an array of 1 to 500. 202 says that the accepted ones will be counted. Each rejected one is told with
/// its place in the array; where all are rejected, the answer is 422. After 503, or no answer, send the same request
/// again: it counts nobody twice.
#[utoipa::path(
    post,
    path = "/events",
    tag = "events",
    operation_id = "sendEvents",
    request_body = Events,
    responses((status = 202, description = "At least one event will be counted", body = Receipt)),
    security(("bearer" = []), ("write_key" = []))
)]
pub(crate) async fn send_events(
    State(activity): State<Arc<Activity>>,
    caller: Caller,
    RawBody(body): RawBody,
) -> Result<(StatusCode, Json<Receipt>), Problem> {
    caller.require(&SENDERS)?;
    let batch = Batch::parse(&body)?;
    let judged = batch.judge(now_millis()?);
    activity.metrics.count_rejected(&judged.rejected);
    if judged.accepted.is_empty() {
        return Err(judged.refusal());
    }
    let published = activity.publisher.publish(&judged.accepted).await;
    activity.metrics.count_published(judged.accepted.len(), &published);
    published?;
    let receipt = Receipt { accepted: judged.accepted.len(), rejected: judged.rejected };
    Ok((StatusCode::ACCEPTED, Json(receipt)))
}

/// The clock, in milliseconds since the Unix epoch.
fn now_millis() -> Result<i64, Problem> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(Problem::internal)?;
    i64::try_from(now.as_millis()).map_err(Problem::internal)
}

/// The events of a request.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes what Batch reads")]
enum Events {
    /// One event.
    One(Event),
    /// 1 to 500 events.
    Many(Vec<Event>),
}

/// Somebody looked at a product. Other members are kept as they are.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code, reason = "describes what the decoder reads")]
struct Event {
    /// Who.
    user_id: EventId,
    /// At what.
    product_id: EventId,
    /// What was done.
    #[schema(min_length = 1, max_length = 256, example = "VIEW_PRODUCT")]
    event_type: String,
    /// When, by the sender's clock; at most 10 s ahead of ours.
    #[schema(format = DateTime, example = "2026-01-01T12:00:00Z")]
    timestamp: String,
    /// Anything else.
    #[schema(value_type = Option<Object>, required = false)]
    metadata: Option<serde_json::Value>,
}

/// An id of the sender's: a text of up to 256 bytes, or an integer.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes what the decoder reads")]
enum EventId {
    /// As a text.
    Text(String),
    /// As an integer.
    Number(i64),
}
