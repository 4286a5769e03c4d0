//! The limit of the services: what their framework, database driver and Kafka client do when nothing else is asked of
//! them. No identity, no metrics, no limits, no problem documents; the answers are those of the services. See
//! `loadtest/http`.

mod args;
mod events;
mod products;

use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use clap::Parser;
use kafka_client::Context;
use rdkafka::producer::FutureProducer;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::Args;

/// What can go wrong, in a sentence.
type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// What the handlers share.
struct Limit {
    pool: PgPool,
    producer: FutureProducer<Context>,
    topic: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    match serve(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("bare-limit: {trouble}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(args: &Args) -> Result<(), Trouble> {
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
fn failed(error: impl std::fmt::Display) -> StatusCode {
    eprintln!("bare-limit: {error}");
    StatusCode::INTERNAL_SERVER_ERROR
}
