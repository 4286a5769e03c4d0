//! Rows on their way to sinks: gathered by time, and, for sinks that every worker writes to, handed over here. Time is
//! held back until the sinks have acknowledged; what lies behind it is durable.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use schemas::{ResultRow, Window};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OperatorInfo;
use timely::dataflow::operators::{Capability, Operator};

use super::thread::{SinkHandle, Unsettled};
use crate::clock;
use crate::distinct::Time;
use crate::id::ProductId;
use crate::live::{LiveCount, LiveSettings};
use crate::views::Count;

/// A stream that carries nothing but progress.
pub type Progress<'scope> = StreamVec<'scope, Time, ()>;

/// Where a sink's rows are gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// All rows of a window come in order from one worker.
    OneWriter,
    /// Each worker hands over the rows of its products.
    EveryWorker,
}

/// Gathers changes of counts by the time at which they happen, and makes rows of them once the time has passed.
pub struct RowGatherer {
    /// Rows of earlier times are durable.
    first_open: Time,
    gathered: BTreeMap<Time, (Capability<Time>, Changes)>,
}

/// Changes of the counts of one time: `(window, product, count, change)`.
type Changes = Vec<(Window, ProductId, i64, isize)>;

impl RowGatherer {
    /// Times before `first_open` pass without rows: an earlier job has written them.
    #[must_use]
    pub const fn new(first_open: Time) -> Self {
        RowGatherer { first_open, gathered: BTreeMap::new() }
    }

    /// Takes changes in; `capability` makes the right to send at a time.
    pub fn take(&mut self, counts: impl Iterator<Item = Count>, capability: impl Fn(Time) -> Capability<Time>) {
        for (((window, product), count), time, change) in counts {
            let (_, changes) = self.gathered.entry(time).or_insert_with(|| (capability(time), Vec::new()));
            changes.push((window, product, count, change));
        }
    }

    /// The rows of each time before `open`, sorted by window and product, with the right to send at that time.
    pub fn take_before(&mut self, open: Time) -> Vec<(Capability<Time>, Vec<ResultRow>)> {
        let mut passed = Vec::new();
        while let Some(first) = self.gathered.first_entry().filter(|first| *first.key() < open) {
            let (time, (capability, changes)) = first.remove_entry();
            if time >= self.first_open {
                passed.push((capability, rows_of(time, changes)));
            }
        }
        passed
    }
}

/// A count that comes is a row; one that goes as well shows that there was a row before. What only goes is over.
fn rows_of(time: Time, mut changes: Changes) -> Vec<ResultRow> {
    changes.sort_unstable();
    let mut rows = Vec::new();
    for group in changes.chunk_by_mut(|(w1, p1, ..), (w2, p2, ..)| w1 == w2 && p1 == p2) {
        let was_there = group.iter().any(|(.., change)| *change < 0);
        let Some((window, product, count, _)) = group.iter_mut().find(|(.., change)| *change > 0) else { continue };
        let Ok(unique_user_count @ 1..) = u64::try_from(*count) else { continue };
        // Windows between the row's own and the one in which it has changed: it rises from row to row.
        let revision = if was_there { time - Time::from(window.ordinal()) } else { 0 };
        rows.push(ResultRow { product_id: product.text(), window: *window, unique_user_count, revision });
    }
    rows
}

/// Hands the final rows of each time that the frontier has passed to a sink that every worker writes to.
pub fn write_rows<'scope>(
    counts: StreamVec<'scope, Time, Count>,
    sink: SinkHandle,
    first_open: Time,
) -> Progress<'scope> {
    let worker = counts.scope().worker().clone();
    counts.unary_frontier::<CapacityContainerBuilder<Vec<()>>, _, _, _>(Pipeline, "Rows", |_, info: OperatorInfo| {
        let mut unsettled = Unsettled::new(worker.sync_activator_for(info.address.to_vec()));
        let mut gathered = RowGatherer::new(first_open);
        move |(input, frontier), _output| {
            unsettled.settle(drop);
            input.for_each(|capability, counts| {
                gathered.take(counts.drain(..), |time| capability.delayed(&time, 0));
            });
            let open = frontier.frontier().first().copied().unwrap_or(Time::MAX);
            for (capability, mut rows) in gathered.take_before(open) {
                for receipt in unsettled.hold(capability, 1) {
                    sink.write_rows(std::mem::take(&mut rows), receipt);
                }
            }
        }
    })
}

/// Hands the counts of open windows to a sink that every worker writes to, once per interval and at most so many at a
/// time.
pub fn write_live<'scope>(
    rows: StreamVec<'scope, Time, LiveCount>,
    sink: &SinkHandle,
    settings: LiveSettings,
) -> Progress<'scope> {
    let scope = rows.scope();
    let (worker, workers) = (scope.index(), scope.peers());
    rows.unary_frontier::<CapacityContainerBuilder<Vec<()>>, _, _, _>(Pipeline, "LiveRows", |_, info: OperatorInfo| {
        let activator = scope.activator_for(info.address);
        let sink = sink.live();
        let mut latest: HashMap<(Window, ProductId), ResultRow> = HashMap::new();
        let mut last_written = Instant::now();
        move |(input, frontier), _output| {
            input.for_each(|_capability, rows| {
                latest.extend(rows.drain(..).map(|row| ((row.window, row.product_id.clone()), ResultRow::from(row))));
            });
            // A window that has closed gets final rows.
            latest.retain(|(window, _), _| frontier.less_equal(&Time::from(window.ordinal())));
            if latest.is_empty() {
                return;
            }
            if let Some(wait) = settings.interval.checked_sub(last_written.elapsed()) {
                return activator.activate_after(wait);
            }
            last_written = Instant::now();
            let mut rows: Vec<_> = latest.drain().map(|(_, row)| row).collect();
            rows.sort_unstable_by(|a, b| {
                (b.unique_user_count, &a.product_id).cmp(&(a.unique_user_count, &b.product_id))
            });
            rows.truncate(settings.share_of(worker, workers, clock::now_millis()));
            sink.write(rows);
        }
    })
}
