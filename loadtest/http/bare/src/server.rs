//! The two handlers, served until SIGTERM.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use kafka_client::Context;
use rdkafka::producer::FutureProducer;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::Args;
use crate::{events, products};

/// What can go wrong, in a sentence.
pub(crate) type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// What the handlers share.
pub(crate) struct Limit {
    pub(crate) pool: PgPool,
    pub(crate) producer: FutureProducer<Context>,
    pub(crate) topic: String,
}

pub(crate) async fn serve(args: &Args) -> Result<(), Trouble> {
    let limit = Limit { pool: args.pool(), producer: args.producer()?, topic: args.kafka_topic.clone() };
    let routes = Router::new()
        .route("/products/{id}", get(products::read_product))
        .route("/events", post(events::send_events))
        .with_state(Arc::new(limit));
    let mut terminate = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind(args.listen_addr).await?;
    let ended = axum::serve(listener, routes).with_graceful_shutdown(async move {
        terminate.recv().await;
    });
    Ok(ended.await?)
}

/// Whatever fails is told on standard error and answered 500: a measurement with such an answer is void.
pub(crate) fn failed(error: impl std::fmt::Display) -> StatusCode {
    eprintln!("bare-limit: {error}");
    StatusCode::INTERNAL_SERVER_ERROR
}
