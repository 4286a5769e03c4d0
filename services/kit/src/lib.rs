//! What every service has in common, decided once: how it is configured, how it logs, how its errors look, who may call
//! it, how it is served and how it ends.
//!
//! A service's `main` is one call of [`main`]: it reads flags and variables, sets up logs, binds and hands over to the
//! service's own `run`, which builds its parts and calls [`Service::serve`]. Nothing is global beyond logs, so that all services
//! can run in one process.
//!
//! # A handler
//!
//! Faults are answered in a fixed order: route, method, identity, rate, size and type, role, syntax, rules, existence,
//! precondition, state. A handler follows it by the order of its arguments and lines:
//!
//! 1. [`Caller`](auth::Caller) comes first: without an internal token the request ends there, with 401;
//! 2. [`RawBody`](input::RawBody) comes last: it judges type and size;
//! 3. the first line of the handler asks the caller for a role;
//! 4. [`Fields`](input::Fields) and [`Parameters`](input::Parameters) collect every fault of the input;
//! 5. [`Preconditions`](etag::Preconditions) are held against the resource that was found.

pub mod auth;
pub mod client;
pub mod config;
#[cfg(feature = "postgres")]
pub mod database;
pub mod etag;
mod health;
mod id;
#[cfg(feature = "postgres")]
pub mod idempotency;
pub mod idempotency_headers;
pub mod input;
mod listener;
mod metrics;
pub mod openapi;
pub mod page;
mod problem;
mod request;
mod service;
#[cfg(feature = "dynamodb")]
pub mod session;
mod start;
pub mod telemetry;
mod text;

/// Of every program that has a service in it: a request is many small allocations, which the system's own allocator makes slower.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub use health::{Gate, Readiness};
pub use id::{Id, PathId};
pub use problem::{Fault, Kind, MEDIA_TYPE, Place, Problem, causes};
pub use request::{REQUEST_ID, RequestContext, TRACEPARENT};
pub use service::{Listeners, Service};
pub use start::{Error, allow_connections, main, stop_on_signals};
pub use text::fold;
