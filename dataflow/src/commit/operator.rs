//! The end of the dataflow: rows, late and rejected records and markers meet on one worker and go to the committer.

use std::sync::Arc;

use schemas::ResultRow;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{Capability, CapabilitySet, Concatenate};
use timely::progress::frontier::MutableAntichain;

use super::committer::CommitterHandle;
use crate::control::Control;
use crate::distinct::Time;
use crate::live::LiveCount;
use crate::sink::operator::{Progress, RowGatherer};
use crate::sink::thread::Unsettled;
use crate::source::operator::QuarantineBatch;
use crate::views::Count;

/// What the operator waits for until it is durable.
enum Held {
    Rows(#[expect(dead_code, reason = "holds time back")] Capability<Time>),
    Quarantined { capability: CapabilitySet<Time>, origin: u32, bytes: usize },
}

/// Hands everything to the committer, and holds time back until it is durable.
///
/// A window is closed when nothing can come for it any more: no row, no record or marker that was sent before its end,
/// and no acknowledgement of the sinks in `acknowledged`. Rows of times before `first_open` are durable already.
pub fn commit<'scope>(
    counts: StreamVec<'scope, Time, Count>,
    quarantined: StreamVec<'scope, Time, QuarantineBatch>,
    live: StreamVec<'scope, Time, LiveCount>,
    acknowledged: Vec<Progress<'scope>>,
    committer: CommitterHandle,
    first_open: Time,
    control: Arc<Control>,
) -> Progress<'scope> {
    let scope = counts.scope();
    let worker = scope.worker().clone();
    // An acknowledgement is nothing but progress.
    let acknowledged = acknowledged.into_iter().map(|progress| progress.flat_map(|()| None::<QuarantineBatch>));
    let quarantined = scope.concatenate(acknowledged.chain([quarantined]));

    let mut builder = OperatorBuilder::new("Commit".to_owned(), scope);
    let address = builder.operator_info().address;
    let mut counts = builder.new_input(counts, Exchange::new(|_: &Count| 0));
    let mut quarantined = builder.new_input(quarantined, Exchange::new(|_: &QuarantineBatch| 0));
    let mut live = builder.new_input(live, Exchange::new(|_: &LiveCount| 0));
    let (output, progress) = builder.new_output::<Vec<()>>();
    let _output = OutputBuilder::<_, CapacityContainerBuilder<Vec<()>>>::from(output);
    let is_committer = worker.index() == 0;
    builder.build(move |_capabilities| {
        let mut unsettled = Unsettled::new(worker.sync_activator_for(address.to_vec()));
        let mut rows = RowGatherer::new(first_open);
        let mut closed = first_open;
        move |frontiers| {
            unsettled.settle(|held| {
                if let Held::Quarantined { capability, origin, bytes } = held {
                    control.taken_in(origin as usize, bytes);
                    drop(capability);
                }
            });
            // What the frontiers have passed was taken in by an earlier turn. What comes now lies behind it.
            let [of_counts, of_quarantined, ..] = frontiers else { return };
            let open = first_of(of_counts).min(first_of(of_quarantined));
            if open > closed && is_committer {
                closed = open;
                let mut times = Vec::new();
                for (capability, rows) in rows.take_before(open) {
                    times.extend(unsettled.hold(Held::Rows(capability), 1).next().map(|receipt| (rows, receipt)));
                }
                committer.close(closed, times);
            }
            counts.for_each(|capability, counts| {
                rows.take(counts.drain(..), |time| capability.delayed(&time, 0));
            });
            quarantined.for_each(|capability, batches| {
                for QuarantineBatch { origin, bytes, records, markers } in batches.drain(..) {
                    let held = Held::Quarantined { capability: capability.retain_stamp(0), origin, bytes };
                    let mut batch = Some((records, markers));
                    for receipt in unsettled.hold(held, 1) {
                        let (records, markers) = batch.take().unwrap_or_default();
                        committer.write_quarantined(records, markers, receipt);
                    }
                }
            });
            live.for_each(|_capability, rows| {
                // The committer has the final row of a closed window: none that is not may follow it.
                let is_open = |count: &LiveCount| Time::from(count.window.ordinal()) >= closed;
                let rows: Vec<_> = rows.drain(..).filter(is_open).map(ResultRow::from).collect();
                if !rows.is_empty() {
                    committer.write_live(rows);
                }
            });
        }
    });
    progress
}

/// The first time that may still come; the last of all where none can.
fn first_of(frontier: &MutableAntichain<Time>) -> Time {
    frontier.frontier().first().copied().unwrap_or(Time::MAX)
}
