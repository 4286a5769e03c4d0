//! The single public entry: finds out who calls, limits how often, and passes requests on.
//!
//! Whatever a client may call stands in one table (`routes.rs`), with the service that answers it and who may call.
//! What the gateway answers by itself are the results of the dataflow job (`analytics/`) and the API's description.

mod analytics;
mod browsers;
mod docs;
mod gateway;
mod identity;
mod jwks;
mod limits;
mod proxy;
mod routes;
mod settings;

pub use docs::{document, merged};
pub use gateway::run;
pub use routes::routed;
pub use settings::Args;

/// The service's name, in logs, metrics and tokens.
pub const NAME: &str = "api-gateway";
