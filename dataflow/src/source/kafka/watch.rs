//! Looks after a topic that goes on: new partitions, and proof that a partition has nothing to read.

use std::thread;
use std::time::{Duration, Instant};

use super::super::{Reader, Watched};
use super::KafkaInputs;
use crate::clock;
use crate::commit::begin::Begin;
use crate::error::Error;
use crate::kafka::topic::{self, Inspector};
use crate::record::{Offset, PartitionId};

/// How often partitions that somebody wants to know about are asked for.
const PROVE_EVERY: Duration = Duration::from_millis(200);
/// How often the topic is asked for new partitions; less than the usual out-of-orderness, so that a new partition is
/// read before the job has passed what it may hold.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long the answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Starts the thread; it ends when the job does.
pub(super) fn spawn(topic: KafkaInputs, watched: Watched<Reader>) -> Result<(), Error> {
    let inspector = topic::inspect(&topic.args)?;
    let known = u32::try_from(watched.partitions.len()).unwrap_or(u32::MAX);
    let mut watcher = Watcher { topic, watched, inspector, known, looked: Instant::now() };
    let run = move || {
        while !watcher.watched.control.is_stopping() {
            watcher.look();
            thread::sleep(PROVE_EVERY);
        }
    };
    let spawned = thread::Builder::new().name("watch".to_owned()).spawn(run);
    spawned.map(|_| ()).map_err(|error| Error::Internal(format!("cannot start a thread: {error}")))
}

struct Watcher {
    topic: KafkaInputs,
    watched: Watched<Reader>,
    inspector: Inspector,
    /// How many partitions the topic had at the last look.
    known: u32,
    looked: Instant,
}

impl Watcher {
    fn look(&mut self) {
        self.prove();
        if self.looked.elapsed() >= LOOK_EVERY {
            self.looked = Instant::now();
            if let Err(error) = self.look_for_partitions() {
                // A broker that cannot be asked now is asked again.
                tracing::debug!(%error, "looking for new partitions");
            }
        }
    }

    fn prove(&self) {
        let mut any = false;
        for partition in self.watched.partitions.all().iter().filter(|partition| partition.wants_proof()) {
            let asked = clock::now_millis();
            // A broker that cannot be reached proves nothing.
            let Ok(extent) = self.inspector.extent(&self.topic.topic, partition.id.0) else { return };
            partition.prove(extent.end, asked);
            any = true;
        }
        if any {
            self.watched.control.wake_all();
        }
    }

    fn look_for_partitions(&mut self) -> Result<(), Error> {
        let Watched { partitions, arrivals, control } = &self.watched;
        let found = self.inspector.partitions(&self.topic.topic, PATIENCE)?;
        // Other processes look for theirs.
        let is_own = |id: &PartitionId| control.is_local(arrivals.worker_of(*id));
        for id in (self.known..found).map(PartitionId).filter(is_own) {
            let extent = self.inspector.extent(&self.topic.topic, id.0)?;
            let begin = Begin::joining(Offset(extent.start), clock::now_millis(), partitions.watermark_without(id));
            let opened = self.topic.open(vec![(id, Begin { end: Offset(extent.end), ..begin })])?;
            tracing::info!(partition = id.0, "topic {} has a new partition", self.topic.topic);
            partitions.ensure(id, &self.topic.topic);
            // Never opened a second time, also where a later one fails and is tried again.
            self.known = id.0 + 1;
            for opened in opened {
                arrivals.put(opened);
            }
            control.wake_all();
        }
        self.known = self.known.max(found);
        Ok(())
    }
}
