//! What is measured of logins, beside what the kit measures of requests.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use service_kit::{Kind, Problem};

/// What became of logins.
#[derive(Debug)]
pub(crate) struct Metrics {
    logins: Family<Outcome, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let logins = Family::default();
        // The library adds `_total`.
        registry.register("customer_logins", "Logins by what became of them", Family::clone(&logins));
        Metrics { logins }
    }

    pub(crate) fn count_login<T>(&self, result: &Result<T, Problem>) {
        let outcome = match result.as_ref().map_err(Problem::kind) {
            Ok(_) => "succeeded",
            Err(Kind::Unauthenticated) => "refused",
            Err(Kind::RateLimited) => "limited",
            Err(Kind::Overloaded) => "overloaded",
            Err(_) => "failed",
        };
        self.logins.get_or_create(&Outcome { outcome }).inc();
    }
}
