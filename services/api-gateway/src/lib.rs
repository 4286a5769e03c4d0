//! The single public entry: finds out who calls, limits how often, and passes requests on.
//!
//! Whatever a client may call stands in one table (`routes.rs`), with the service that answers it and who may call.
//! Reads can ask for what belongs to a resource in one answer (`expand.rs`, `customer_orders.rs`). What the gateway answers by
//! itself are the results of the dataflow job (`analytics/`), the API's description and the live page (`page.rs`).

mod analytics;
mod browsers;
mod customer_orders;
mod docs;
mod expand;
mod gateway;
mod identity;
mod jwks;
mod limits;
mod page;
mod proxy;
mod routes;
mod settings;

pub use docs::{document, merged};
pub use gateway::run;
pub use routes::routed;
pub use settings::Args;

/// The service's name, in logs, metrics and tokens.
pub const NAME: &str = "api-gateway";
