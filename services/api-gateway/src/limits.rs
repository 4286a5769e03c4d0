//! How often callers may call: a token bucket for each principal, in each replica.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use service_kit::auth::{Caller, Role};
use service_kit::{Kind, Problem};
use tokio_util::sync::CancellationToken;

use crate::settings::LimitArgs;

/// How often buckets that are full again are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// The buckets of everybody who called lately. Admins and services have none.
#[derive(Debug)]
pub(crate) struct Limits {
    customers: Option<DefaultKeyedRateLimiter<String>>,
    addresses: Option<DefaultKeyedRateLimiter<Option<IpAddr>>>,
}

impl Limits {
    pub(crate) fn new(args: &LimitArgs) -> Self {
        Limits {
            customers: quota(args.rate_limit_customer).map(RateLimiter::keyed),
            addresses: quota(args.rate_limit_anonymous).map(RateLimiter::keyed),
        }
    }

    /// Takes a token out of the caller's bucket.
    pub(crate) fn check(&self, caller: &Caller, address: Option<IpAddr>) -> Result<(), Problem> {
        match caller.role {
            Role::Admin | Role::Service => Ok(()),
            Role::Customer => take(self.customers.as_ref(), &caller.principal),
            // Everybody who looks at a page has its write key.
            Role::Writer | Role::Anonymous => take(self.addresses.as_ref(), &address),
        }
    }

    /// Forgets full buckets, again and again until `stop`.
    pub(crate) async fn keep_small(&self, stop: CancellationToken) {
        let forget = async {
            let mut ticks = tokio::time::interval(FORGET_EVERY);
            loop {
                ticks.tick().await;
                if let Some(customers) = &self.customers {
                    customers.retain_recent();
                }
                if let Some(addresses) = &self.addresses {
                    addresses.retain_recent();
                }
            }
        };
        stop.run_until_cancelled(forget).await;
    }
}

fn quota(per_second: u32) -> Option<Quota> {
    let per_second = NonZeroU32::new(per_second)?;
    Some(Quota::per_second(per_second).allow_burst(per_second.saturating_add(per_second.get())))
}

fn take<K: std::hash::Hash + Eq + Clone>(buckets: Option<&DefaultKeyedRateLimiter<K>>, key: &K) -> Result<(), Problem> {
    let Some(buckets) = buckets else { return Ok(()) };
    buckets.check_key(key).map_err(|until| {
        let wait = until.wait_time_from(DefaultClock::default().now());
        Problem::new(Kind::RateLimited, "too many requests; wait for Retry-After and send fewer").with_retry_after(wait)
    })
}
