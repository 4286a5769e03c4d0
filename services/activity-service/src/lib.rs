//! Takes events over HTTP and publishes them to Kafka, where the dataflow job counts them.
//!
//! A request carries one event or an array of them (`batch`). Each is judged by the job's own decoder, so that
//! what is accepted here is counted there, and what would be rejected there is told here, with the reason and the place.
//! The accepted ones are published byte for byte as they came, and are answered for only when Kafka has
//! acknowledged all of them. A client that gets no answer, or 503, sends them again: the job counts different people,
//! so an event that arrives twice changes nothing.
//!
//! The service starts without Kafka and is ready once it has seen the topic.

mod batch;
mod events;
mod judge;
mod metrics;
mod publisher;
mod settings;
mod topic;

use std::sync::Arc;

use kafka_client::Inspector;
use service_kit::auth::TokenVerifier;
use service_kit::{Error, Listeners, Service};
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::metrics::Metrics;
use crate::publisher::Publisher;

pub use crate::settings::Args;

/// The service's name, in logs, metrics, tokens and to Kafka.
pub const NAME: &str = "activity-service";
/// The name of the security scheme of write keys.
pub const WRITE_KEY: &str = "write_key";

/// What the handlers share.
#[derive(Debug)]
struct Activity {
    publisher: Arc<Publisher>,
    metrics: Metrics,
}

/// Runs the service until `stop`.
///
/// # Errors
/// [`Error::Usage`] where settings are missing or contradict each other, before anything connects; [`Error::Failed`]
/// where it cannot serve.
pub async fn run(args: Args, listeners: Listeners, stop: CancellationToken) -> Result<(), Error> {
    let topic = args.topic().map_err(usage)?;
    let verifier = TokenVerifier::new(NAME, &args.internal_token);
    let mut service = Service::new(NAME, env!("CARGO_PKG_VERSION"), &args.service).with_verifier(verifier);
    let publisher = Arc::new(Publisher::new(&args.kafka, topic).map_err(usage)?);
    let metrics = Metrics::register(service.registry(), &publisher);
    let inspector = Inspector::connect(&args.kafka, NAME).map_err(usage)?;
    let gate = service.readiness().gate("kafka");
    tokio::spawn(topic::wait_for(inspector, topic.to_owned(), gate, stop.clone()));
    let routes = router().with_state(Arc::new(Activity { publisher, metrics })).into();
    service.serve(listeners, routes, stop).await
}

// Errors are mapped by value.
#[allow(clippy::needless_pass_by_value)]
fn usage(error: kafka_client::Error) -> Error {
    Error::Usage(error.to_string())
}

/// The service's part of the API's description.
#[must_use]
pub fn openapi() -> OpenApi {
    let mut api = router().into_openapi();
    let key = ApiKey::Header(ApiKeyValue::with_description(
        "X-Write-Key",
        "A publishable key that may send events and nothing else; `?write_key=` does as well.",
    ));
    api.components
        .get_or_insert_default()
        .security_schemes
        .insert(WRITE_KEY.to_owned(), SecurityScheme::ApiKey(key).into());
    api
}

fn router() -> OpenApiRouter<Arc<Activity>> {
    OpenApiRouter::default().routes(routes!(events::send_events))
}
