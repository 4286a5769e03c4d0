//! The headers of idempotency keys.

use axum::http::HeaderName;

/// The header that names a request for its retries.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header of an answer that was stored.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
