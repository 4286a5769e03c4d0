//! The admin port: metrics and health, for machines.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use crate::error::Error;
use crate::job::Job;

/// The type of the OpenMetrics text format, which `/metrics` answers with.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves `/metrics`, `/healthz` and `/readyz` of a job on `address` until the runtime ends; returns the bound address.
///
/// # Errors
/// [`Error::Unavailable`] when the address cannot be listened on.
pub async fn serve(address: SocketAddr, job: &Job) -> Result<SocketAddr, Error> {
    let unusable =
        |error| Error::Unavailable(format!("cannot listen on {address}: {error}; choose another --admin-addr"));
    let listener = TcpListener::bind(address).await.map_err(unusable)?;
    let bound = listener.local_addr().map_err(unusable)?;
    let router = router(job);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the admin port has failed");
        }
    });
    Ok(bound)
}

fn router(job: &Job) -> Router {
    let registry = Arc::new(job.registry());
    let control = Arc::clone(&job.control);
    let is_ready = move || if control.is_stopping() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    Router::new()
        .route("/metrics", get(|| async move { metrics(&registry) }))
        .route("/healthz", get(|| async { StatusCode::OK }))
        .route("/readyz", get(|| async move { is_ready() }))
}

fn metrics(registry: &Registry) -> impl IntoResponse + use<> {
    let mut text = String::new();
    match encode(&mut text, registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
