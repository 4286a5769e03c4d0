//! Live: the counts of windows that are still open, summed over workers and told at most once per interval.
//!
//! Each product has one worker here, which sums what the workers of its users tell. What is told may be incomplete and
//! is never final; the final rows do not depend on it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::fast::FixedState;
use schemas::{ResultRow, Window};
use serde::{Deserialize, Serialize};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::{Capability, Operator};

use crate::clock;
use crate::distinct::Time;
use crate::duration::millis;
use crate::id::ProductId;
use crate::partitions::Partitions;

/// How often, and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveSettings {
    /// The least time between two rows of one product and window.
    pub interval: Duration,
    /// The most rows at a time on all workers together, those that have grown most first.
    pub max_rows: usize,
}

/// The running count of a product in an open window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveCount {
    /// The window.
    pub window: Window,
    /// The product that was looked at.
    pub product_id: ProductId,
    /// How many different users have looked at it so far.
    pub users: u64,
}

impl From<LiveCount> for ResultRow {
    fn from(LiveCount { window, product_id, users }: LiveCount) -> Self {
        ResultRow { product_id: product_id.text(), window, unique_user_count: users, revision: 0 }
    }
}

/// What a worker that counts users tells those that sum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LiveNews {
    /// A product of an open window has more users, here.
    Grown {
        /// The window.
        window: Window,
        /// The product.
        product: ProductId,
        /// By how many users.
        users: i64,
    },
    /// All that was read until the job had caught up lies before this; each worker tells it each worker once.
    CaughtUp {
        /// The worker that is told.
        to: u64,
    },
}

impl LiveNews {
    fn destination(&self) -> u64 {
        match self {
            LiveNews::Grown { product, .. } => FixedState::default().hash_one(product),
            LiveNews::CaughtUp { to } => *to,
        }
    }
}

impl LiveSettings {
    /// How many rows a worker may tell now. What cannot be shared equally goes to one worker after the other, so that
    /// none is silent for ever; by the clock, which they have in common.
    #[must_use]
    pub fn share_of(self, worker: usize, workers: usize, now_millis: i64) -> usize {
        let turn = now_millis.unsigned_abs() / millis(self.interval).unsigned_abs().max(1);
        let place = (worker as u64 + turn) % workers as u64;
        self.max_rows / workers + usize::from(place < (self.max_rows % workers) as u64)
    }
}

/// Counts of open windows. They begin once the job has read as far as its topic reached when it started, and every worker
/// has told what it has of that: a job that replays would tell lower counts than the one before it.
pub fn live_rows<'scope>(
    news: StreamVec<'scope, Time, LiveNews>,
    settings: LiveSettings,
    partitions: Arc<Partitions>,
) -> StreamVec<'scope, Time, LiveCount> {
    let scope = news.scope();
    let (worker, workers) = (scope.index(), scope.peers());
    let exchange = Exchange::new(LiveNews::destination);
    news.unary_frontier::<CapacityContainerBuilder<Vec<LiveCount>>, _, _, _>(exchange, "Live", |_, info| {
        let activator = scope.activator_for(info.address);
        let mut windows: BTreeMap<Window, OpenCounts> = BTreeMap::new();
        let mut last_told = Instant::now();
        let mut still_behind = workers;
        move |(input, frontier), output| {
            input.for_each(|capability, news| {
                for news in news.drain(..) {
                    let LiveNews::Grown { window, product, users } = news else {
                        still_behind -= 1;
                        continue;
                    };
                    let open = windows.entry(window).or_insert_with(|| OpenCounts {
                        capability: capability.delayed(&Time::from(window.ordinal()), 0),
                        counts: HashMap::new(),
                    });
                    open.counts.entry(product).or_default().users += users;
                }
            });
            windows.retain(|window, _| frontier.less_equal(&Time::from(window.ordinal())));
            if last_told.elapsed() >= settings.interval && still_behind == 0 && partitions.have_caught_up() {
                last_told = Instant::now();
                let max_rows = settings.share_of(worker, workers, clock::now_millis());
                for count in most_grown(&mut windows, max_rows) {
                    if let Some(open) = windows.get(&count.window) {
                        output.session(&open.capability).give(count);
                    }
                }
            }
            if !windows.is_empty() {
                activator.activate_after(settings.interval.saturating_sub(last_told.elapsed()).max(SHORTEST_WAIT));
            }
        }
    })
}

/// Between two looks whether the job has caught up.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);

struct OpenCounts {
    capability: Capability<Time>,
    counts: HashMap<ProductId, Count>,
}

#[derive(Default)]
struct Count {
    users: i64,
    told: i64,
}

/// The counts of those products that have grown most since they were told.
fn most_grown(windows: &mut BTreeMap<Window, OpenCounts>, max_rows: usize) -> Vec<LiveCount> {
    let mut grown: Vec<(Window, &ProductId, &mut Count)> = Vec::new();
    for (window, open) in windows {
        let news = open.counts.iter_mut().filter(|(_, count)| count.users > count.told);
        grown.extend(news.map(|(product, count)| (*window, product, count)));
    }
    // The order among equals is that of their names: hash maps have none.
    let rank = |(window, product, count): &(Window, &ProductId, &mut Count)| {
        (Reverse(count.users - count.told), *window, (*product).clone())
    };
    grown.sort_by_cached_key(rank);
    grown.truncate(max_rows);
    let row = |(window, product, count): (Window, &ProductId, &mut Count)| {
        count.told = count.users;
        LiveCount { window, product_id: product.clone(), users: u64::try_from(count.users).unwrap_or(0) }
    };
    grown.into_iter().map(row).collect()
}
