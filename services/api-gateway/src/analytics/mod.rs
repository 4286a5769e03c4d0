//! Counts of the job as clients read them: history from DynamoDB, the last half hour from the results topic.

mod csv;
mod freshness;
mod history;
mod live;
mod recent;
mod row;
mod windows;

use std::sync::Arc;

use axum::Router;
use prometheus_client::registry::Registry;
use service_kit::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::freshness::JobStatus;
use self::history::History;
pub(crate) use self::recent::Recent;
use crate::gateway::Gateway;
use crate::settings::Args;

/// Everything that answers questions about counts.
#[derive(Clone, Debug)]
pub(crate) struct Analytics {
    recent: Arc<Recent>,
    history: History,
    status: Arc<JobStatus>,
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
        let recent = Recent::start(&args.kafka, &args.kafka_output_topic, registry, stop, background.token())?;
        Ok(Analytics {
            recent,
            history: History::new(dynamodb.clone(), &args.dynamodb_table),
            status: Arc::new(JobStatus::new(dynamodb, &args.dynamodb_table, args.limits.stale_after)),
        })
    }
}

pub(crate) fn router(gateway: Gateway) -> Router {
    described().with_state(gateway).into()
}

pub(crate) fn openapi() -> OpenApi {
    described().into_openapi()
}

fn described() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(windows::list_windows))
}
