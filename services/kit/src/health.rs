//! Whether a service can take requests, as load balancers ask it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;

/// Whether everything that a service needs at start is there, and it is not about to stop.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    is_draining: Arc<AtomicBool>,
    gates: Arc<Mutex<BTreeMap<&'static str, Gate>>>,
}

/// One condition of readiness.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<AtomicBool>);

impl Gate {
    /// The condition holds from now on, or no longer.
    pub fn set(&self, is_open: bool) {
        self.0.store(is_open, Ordering::Relaxed);
    }

    /// Whether the condition holds.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Readiness {
    /// Adds a condition, which does not hold yet.
    #[must_use]
    pub fn gate(&self, name: &'static str) -> Gate {
        let gate = Gate::default();
        self.gates.lock().unwrap_or_else(PoisonError::into_inner).insert(name, gate.clone());
        gate
    }

    /// From now on, it is not ready.
    pub(crate) fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Whether it is about to stop.
    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// What keeps it from being ready.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let draining = self.is_draining().then_some("draining");
        draining.into_iter().chain(gates.iter().filter(|(_, gate)| !gate.is_open()).map(|(name, _)| *name)).collect()
    }

    /// `/healthz`: the process lives. `/readyz`: it can take requests.
    pub(crate) fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let readiness = self.clone();
        let ready = move || async move {
            match readiness.missing() {
                missing if missing.is_empty() => (StatusCode::OK, "ready\n".to_owned()),
                missing => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", missing.join(", "))),
            }
        };
        Router::new().route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(ready))
    }
}
