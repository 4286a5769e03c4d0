//! `POST /events`: decoded by the job's decoder, published as they came, answered when Kafka has acknowledged all.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use rdkafka::producer::{DeliveryFuture, FutureRecord};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::server::{Limit, failed};

#[derive(Serialize)]
pub(crate) struct Receipt {
    accepted: usize,
    rejected: [(); 0],
}

pub(crate) async fn send_events(
    State(limit): State<Arc<Limit>>,
    body: Bytes,
) -> Result<(StatusCode, Json<Receipt>), StatusCode> {
    let items = items(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let deliveries: Vec<_> = items.iter().map(|item| enqueue(&limit, item)).collect::<Result<_, _>>()?;
    let accepted = deliveries.len();
    for delivery in deliveries {
        let acknowledged = delivery.await.map_err(|_| failed("the Kafka client ended"))?;
        acknowledged.map_err(|(error, _)| failed(error))?;
    }
    Ok((StatusCode::ACCEPTED, Json(Receipt { accepted, rejected: [] })))
}

/// The items of an array, or the one item that the body is, byte for byte.
fn items(body: &[u8]) -> serde_json::Result<Vec<&RawValue>> {
    if body.first() == Some(&b'[') {
        return serde_json::from_slice(body);
    }
    serde_json::from_slice(body).map(|item| vec![item])
}

fn enqueue(limit: &Limit, item: &RawValue) -> Result<DeliveryFuture, StatusCode> {
    let event = schemas::decode(item.get().as_bytes()).map_err(|_| StatusCode::UNPROCESSABLE_ENTITY)?;
    let record = FutureRecord::to(&limit.topic).key(&*event.user_id).payload(item.get());
    limit.producer.send_result(record).map_err(|(error, _)| failed(error))
}
