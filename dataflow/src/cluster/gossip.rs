//! What the processes of a job tell each other while it runs, outside of event time.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use timely::ExchangeData;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::generic::operator::source;
use timely::scheduling::SyncActivator;
use timely::worker::Worker;

/// How long after one message the next is sent at the earliest: what comes up meanwhile goes into one.
const PAUSE: Duration = Duration::from_millis(3);

/// Makes the process tell the others soon what is new. It costs next to nothing where that is about to happen anyway.
#[derive(Clone, Debug)]
pub struct Nudge(Arc<Pending>);

#[derive(Debug)]
struct Pending {
    is_pending: AtomicBool,
    activator: SyncActivator,
}

impl Nudge {
    /// Something is new.
    pub fn nudge(&self) {
        if !self.0.is_pending.swap(true, Ordering::AcqRel) {
            // A worker that has left tells nothing.
            let _ = self.0.activator.activate();
        }
    }

    /// What is new from now on needs a nudge of its own.
    fn taken(&self) {
        self.0.is_pending.store(false, Ordering::Release);
    }
}

/// Lets the processes tell each other what is new. Every worker must call this at the same place, with the number of
/// workers that each process has. `poll` is what is new in this process, all in one message, and `receive` takes
/// the messages of others, by the number of the process, in the order in which it has sent them; both run on the first
/// worker of the process, which is given a [`Nudge`]. With one process there is nothing to tell, and no nudge.
///
/// The messages are no part of the job's time, and this never ends by itself: it must be dropped with the dataflow of
/// the job.
pub fn gossip<M: ExchangeData + Clone>(
    worker: &mut Worker,
    workers_per_process: usize,
    mut poll: impl FnMut() -> Option<M> + 'static,
    mut receive: impl FnMut(usize, M) + 'static,
) -> Option<Nudge> {
    let (peers, index) = (worker.peers(), worker.index());
    if peers <= workers_per_process {
        return None;
    }
    let process = index / workers_per_process;
    let is_first = index % workers_per_process == 0;
    let others: Vec<usize> = (0..peers).step_by(workers_per_process).filter(|first| *first != index).collect();
    let mut nudge = None;
    worker.dataflow::<u64, _, _>(|scope| {
        let handle = &mut nudge;
        let news =
            source::<_, CapacityContainerBuilder<Vec<(u64, u64, M)>>, _, _>(scope, "News", |capability, info| {
                let again = scope.activator_for(Rc::clone(&info.address));
                if is_first {
                    let activator = scope.worker().sync_activator_for(info.address.to_vec());
                    // What was new before this counts as well.
                    again.activate();
                    *handle = Some(Nudge(Arc::new(Pending { is_pending: AtomicBool::new(true), activator })));
                }
                let nudge = handle.clone();
                // Others say nothing, which lets them rest.
                let capability = is_first.then_some(capability);
                let mut last_sent: Option<Instant> = None;
                move |output| {
                    let (Some(nudge), Some(capability)) = (&nudge, &capability) else { return };
                    if let Some(pause) = last_sent.and_then(|sent| PAUSE.checked_sub(sent.elapsed())) {
                        // Nudges are not needed until then.
                        return again.activate_after(pause);
                    }
                    nudge.taken();
                    let Some(message) = poll() else { return };
                    last_sent = Some(Instant::now());
                    let mut session = output.session(capability);
                    for other in &others {
                        session.give((*other as u64, process as u64, message.clone()));
                    }
                }
            });
        let to_its_worker = Exchange::new(|(worker, _, _): &(u64, u64, M)| *worker);
        news.sink(to_its_worker, "Hear", move |(input, _)| {
            input.for_each(|_, messages| {
                messages.drain(..).for_each(|(_, process, message)| receive(process as usize, message));
            });
        });
    });
    nudge
}
