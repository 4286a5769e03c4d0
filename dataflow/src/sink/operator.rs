//! The ends of the dataflow: operators that hand rows and quarantined records to sinks, and hold time back until the
//! sinks have acknowledged them. What lies behind them in time is durable.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::ResultRow;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, ParallelizationContract, Pipeline};
use timely::dataflow::operators::generic::OperatorInfo;
use timely::dataflow::operators::{Capability, CapabilitySet, Operator};

use super::thread::{SinkHandle, Unsettled};
use crate::control::Control;
use crate::distinct::Time;
use crate::source::operator::QuarantineBatch;
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

/// Hands the final rows of each window that the frontier has passed to the sink, sorted by window and product.
pub fn write_rows<'scope>(
    counts: StreamVec<'scope, Time, Count>,
    sink: SinkHandle,
    spread: Spread,
) -> Progress<'scope> {
    match spread {
        Spread::OneWriter => write_rows_by(counts, Exchange::new(|_: &Count| 0), sink),
        Spread::EveryWorker => write_rows_by(counts, Pipeline, sink),
    }
}

fn write_rows_by<'scope>(
    counts: StreamVec<'scope, Time, Count>,
    pact: impl ParallelizationContract<Time, Vec<Count>>,
    sink: SinkHandle,
) -> Progress<'scope> {
    let worker = counts.scope().worker().clone();
    counts.unary_frontier::<CapacityContainerBuilder<Vec<()>>, _, _, _>(pact, "Rows", |_, info: OperatorInfo| {
        let mut unsettled = Unsettled::new(worker.sync_activator_for(info.address.to_vec()));
        let mut gathered: BTreeMap<Time, (Capability<Time>, Vec<ResultRow>)> = BTreeMap::new();
        move |(input, frontier), _output| {
            unsettled.settle(drop);
            input.for_each(|capability, counts| {
                for (((window, product_id), count), time, change) in counts.drain(..) {
                    // Retractions of superseded counts and of closed windows need no row.
                    let Ok(unique_user_count @ 1..) = u64::try_from(count) else { continue };
                    if change <= 0 {
                        continue;
                    }
                    let (_, rows) = gathered.entry(time).or_insert_with(|| (capability.delayed(&time, 0), Vec::new()));
                    rows.push(ResultRow { product_id, window, unique_user_count, revision: 0 });
                }
            });
            while let Some(first) = gathered.first_entry().filter(|first| !frontier.less_equal(first.key())) {
                let (capability, mut rows) = first.remove();
                rows.sort_unstable_by(|a, b| (a.window, &a.product_id).cmp(&(b.window, &b.product_id)));
                for receipt in unsettled.hold(capability, 1) {
                    sink.write_rows(std::mem::take(&mut rows), receipt);
                }
            }
        }
    })
}

/// Hands late and rejected records to every sink that keeps them.
pub fn write_quarantined(
    batches: StreamVec<'_, Time, QuarantineBatch>,
    sinks: Vec<SinkHandle>,
    control: Arc<Control>,
) -> Progress<'_> {
    let worker = batches.scope().worker().clone();
    let pact = Exchange::new(|_: &QuarantineBatch| 0);
    batches.unary::<CapacityContainerBuilder<Vec<()>>, _, _, _>(pact, "Quarantine", |_, info: OperatorInfo| {
        let mut unsettled = Unsettled::new(worker.sync_activator_for(info.address.to_vec()));
        move |input, _output| {
            unsettled.settle(|(capability, origin, bytes): (CapabilitySet<Time>, u32, usize)| {
                control.taken_in(origin as usize, bytes);
                drop(capability);
            });
            input.for_each(|capability, batches| {
                for batch in batches.drain(..) {
                    let held = (capability.retain_stamp(0), batch.origin, batch.bytes);
                    let records = Arc::new(batch.records);
                    for (sink, receipt) in sinks.iter().zip(unsettled.hold(held, sinks.len())) {
                        sink.write_quarantined(Arc::clone(&records), receipt);
                    }
                }
            });
        }
    })
}
