//! Counts of the job as clients read them: history from DynamoDB, the last half hour from the results topic.
//!
//! A thread (`tail`) reads the topic into a memory (`memory`, behind `recent`), from which come the running minute, rankings
//! (`top`) and streams (`stream`).

mod csv;
mod freshness;
mod history;
mod interest;
mod live;
mod memory;
mod names;
mod place;
mod ranking;
mod recent;
mod row;
mod stream;
mod tail;
mod top;
mod watermarks;
mod windows;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use prometheus_client::registry::Registry;
use service_kit::{Error, Problem};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::freshness::{Freshness, JobStatus};
use self::history::History;
use self::names::Names;
use self::recent::Recent;
use self::stream::Streams;
pub(crate) use self::stream::handlers::LAST_EVENT_ID;
pub(crate) use self::tail::check;
use crate::gateway::Gateway;
use crate::settings::Args;

/// Everything that answers questions about counts.
#[derive(Debug)]
pub(crate) struct Analytics {
    recent: Arc<Recent>,
    history: History,
    status: Arc<JobStatus>,
    names: Names,
    streams: Streams,
    /// The present event of this name, for all streams.
    watermarks: watch::Receiver<Option<Bytes>>,
    /// How long a row may wait for a stream's client.
    max_lag: Duration,
    /// Ends streams.
    stop: CancellationToken,
}

impl Analytics {
    /// Begins to read the results topic in the background, which `background` waits for.
    pub(crate) fn start(
        args: &Args,
        dynamodb: aws_sdk_dynamodb::Client,
        registry: &mut Registry,
        stop: CancellationToken,
        background: &TaskTracker,
    ) -> Result<Self, Error> {
        let recent = tail::start(&args.kafka, &args.kafka_output_topic, registry, stop.clone(), background.token())?;
        let history = History::new(dynamodb.clone(), &args.dynamodb_table);
        let status = Arc::new(JobStatus::new(dynamodb, &args.dynamodb_table, args.limits.stale_after));
        let watermarks = watermarks::start(Arc::clone(&status), Arc::clone(&recent), stop.clone(), background);
        Ok(Analytics {
            recent,
            history,
            status,
            names: Names::default(),
            streams: Streams::new(args.streams.max_streams, registry),
            watermarks,
            max_lag: args.streams.stream_max_lag,
            stop,
        })
    }

    /// How old counts from the results topic are.
    async fn freshness_by_topic(&self) -> Result<Freshness, Problem> {
        Ok(self.status.freshness().await?.by_topic(self.recent.is_live()))
    }
}

pub(crate) fn router(gateway: Gateway) -> Router {
    described().with_state(gateway).into()
}

pub(crate) fn openapi() -> OpenApi {
    described().into_openapi()
}

fn described() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new()
        .routes(routes!(windows::list_windows))
        .routes(routes!(top::read_top))
        .routes(routes!(stream::handlers::stream_counts))
        .routes(routes!(stream::handlers::stream_product_counts))
}
