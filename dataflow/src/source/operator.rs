//! The source: reads a worker's partitions, decodes and classifies their records, and makes time pass.

use std::sync::Arc;
use std::time::{Duration, Instant};

use schemas::Window;
use serde::{Deserialize, Serialize};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::generic::{OutputBuilder, OutputBuilderSession};
use timely::dataflow::{Scope, StreamVec};
use timely::scheduling::Activator;

use super::intake::Intake;
use super::{PartitionReader, Progress};
use crate::block::{Block, BlockBuilder};
use crate::classify::{Classifier, Rules};
use crate::control::{Control, IN_FLIGHT_LIMIT_BYTES};
use crate::distinct::Time;
use crate::duration::millis;
use crate::partitions::{Partitions, Watermark};
use crate::record::{PartitionId, Quarantined};

/// How long the source may keep the worker before the other operators get their turn.
const TURN: Duration = Duration::from_millis(2);
/// How many windows may be closed here whose rows the sinks have not acknowledged: a slow sink slows the reading.
const MAX_UNACKNOWLEDGED_WINDOWS: u64 = 64;

/// What the sources of all workers share.
#[derive(Clone)]
pub struct SourceSettings {
    /// The rules of time.
    pub rules: Rules,
    /// How far a partition may be ahead of the slowest; `None`: any distance.
    pub max_partition_skew: Option<Duration>,
    /// Whether the input may grow for ever: then a worker that has no partition keeps its place in time, for partitions
    /// to come.
    pub is_unbounded: bool,
}

impl Default for SourceSettings {
    /// For a bounded input, as the command line has it where nothing else is asked for.
    fn default() -> Self {
        let window = Duration::from_millis(Window::MILLIS.unsigned_abs());
        SourceSettings {
            rules: Rules { out_of_orderness: Duration::from_secs(10), max_future_skew: None, event_types: Vec::new() },
            max_partition_skew: Some(2 * window),
            is_unbounded: false,
        }
    }
}

/// Late and rejected records of one partition.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuarantineBatch {
    /// The worker that read them.
    pub origin: u32,
    /// How much memory they take, in bytes.
    pub bytes: usize,
    /// The records, in the order of the partition.
    pub records: Vec<Quarantined>,
}

/// The source's two streams.
pub struct Sources<'scope> {
    /// Events that are on time.
    pub blocks: StreamVec<'scope, Time, Block>,
    /// Records that are not counted, unless they are only to be tallied.
    pub quarantined: StreamVec<'scope, Time, QuarantineBatch>,
}

type Session<'a, D> = OutputBuilderSession<'a, Time, CapacityContainerBuilder<Vec<D>>>;

/// Reads this worker's partitions. Late and rejected records are only counted unless they are to be kept.
/// `acknowledged` tells the first window whose rows are not durable in every sink.
pub fn source<'scope, R: PartitionReader>(
    scope: Scope<'scope, Time>,
    readers: Vec<(PartitionId, R)>,
    settings: &SourceSettings,
    keeps_quarantined: bool,
    control: Arc<Control>,
    partitions: Arc<Partitions>,
    acknowledged: impl Fn() -> Time + 'static,
) -> Sources<'scope> {
    let mut builder = OperatorBuilder::new("Source".to_owned(), scope);
    let (blocks_output, blocks) = builder.new_output();
    let (quarantined_output, quarantined) = builder.new_output();
    let mut blocks_output = OutputBuilder::from(blocks_output);
    let mut quarantined_output = OutputBuilder::from(quarantined_output);

    let worker = scope.index();
    let address = builder.operator_info().address;
    let wake = scope.worker().sync_activator_for(address.to_vec());
    control.register_source(worker, wake.clone());
    let activator = scope.activator_for(address);

    builder.build(move |capabilities| {
        let mut source = Source {
            worker,
            readers: readers.into_iter().map(|(id, reader)| Reading::new(id, reader, &settings.rules)).collect(),
            // One capability for each output, as they are separate in timely's eyes.
            capabilities: Some(capabilities),
            blocks: BlockBuilder::new(worker, scope.peers()),
            scratch: Vec::new(),
            next: 0,
            settings: settings.clone(),
            keeps_quarantined,
            control,
            partitions,
            activator,
        };
        for reading in &mut source.readers {
            if let Err(error) = reading.reader.start(&wake) {
                source.control.fail(error);
            }
        }
        move |_frontiers| {
            let (mut blocks, mut quarantined) = (blocks_output.activate(), quarantined_output.activate());
            source.run(&mut blocks, &mut quarantined, &acknowledged);
        }
    });
    Sources { blocks, quarantined }
}

struct Source<R> {
    worker: usize,
    readers: Vec<Reading<R>>,
    capabilities: Option<Vec<Capability<Time>>>,
    blocks: BlockBuilder,
    scratch: Vec<u8>,
    /// The reader whose turn is next.
    next: usize,
    settings: SourceSettings,
    keeps_quarantined: bool,
    control: Arc<Control>,
    partitions: Arc<Partitions>,
    activator: Activator,
}

/// A partition that this worker reads.
struct Reading<R> {
    id: PartitionId,
    reader: R,
    classifier: Classifier,
    is_finished: bool,
}

impl<R> Reading<R> {
    fn new(id: PartitionId, reader: R, rules: &Rules) -> Self {
        Reading { id, reader, classifier: Classifier::new(rules), is_finished: false }
    }
}

impl<R: PartitionReader> Source<R> {
    /// One turn: reads for a while, then lets time pass.
    fn run(
        &mut self,
        blocks: &mut Session<'_, Block>,
        quarantined: &mut Session<'_, QuarantineBatch>,
        acknowledged: &impl Fn() -> Time,
    ) {
        let Some(capabilities) = self.capabilities.take() else { return };
        if self.control.is_stopping() {
            // Time stands still from here on: what is open stays open, as its events are not all read.
            self.control.source_rests(self.worker, window_of(&capabilities));
            self.capabilities = Some(capabilities);
            return;
        }
        let is_ready = match self.read_for_a_turn(&capabilities, blocks, quarantined, acknowledged) {
            Ok(is_ready) => is_ready,
            Err(error) => {
                self.control.fail(error);
                false
            }
        };
        self.capabilities = self.advance(capabilities);
        if self.capabilities.is_none() {
            self.control.source_rests(self.worker, u64::MAX);
        }
        if is_ready {
            self.activator.activate();
        }
    }

    /// Reads partition by partition; returns whether there may be more to read at once.
    fn read_for_a_turn(
        &mut self,
        capabilities: &[Capability<Time>],
        blocks: &mut Session<'_, Block>,
        quarantined: &mut Session<'_, QuarantineBatch>,
        acknowledged: &impl Fn() -> Time,
    ) -> Result<bool, crate::error::Error> {
        let turn_began = Instant::now();
        let mut without_progress = 0;
        // A round in which no partition yields anything ends the turn.
        while without_progress < self.readers.len() {
            if self.is_held_up(capabilities, acknowledged) {
                return Ok(false);
            }
            if turn_began.elapsed() >= TURN {
                return Ok(true);
            }
            let index = self.next;
            self.next = (self.next + 1) % self.readers.len();
            let has_progressed =
                self.may_read(index) && self.read_partition(index, capabilities, blocks, quarantined)?;
            without_progress = if has_progressed { 0 } else { without_progress + 1 };
            // A window that can be closed is closed before more windows are opened.
            if has_progressed && self.partitions.job_watermark().first_open_window() > window_of(capabilities) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Back-pressure: too much is on its way to the workers or to the sinks. Whoever takes it in wakes this source.
    fn is_held_up(&self, capabilities: &[Capability<Time>], acknowledged: &impl Fn() -> Time) -> bool {
        self.control.in_flight_bytes(self.worker) >= IN_FLIGHT_LIMIT_BYTES
            || acknowledged().saturating_add(MAX_UNACKNOWLEDGED_WINDOWS) < window_of(capabilities)
    }

    /// Alignment: a partition that is too far ahead of the slowest waits for it.
    fn may_read(&self, index: usize) -> bool {
        let reading = &self.readers[index];
        let skew = self.settings.max_partition_skew.map(millis);
        let limit = || self.partitions.alignment_limit(millis(self.settings.rules.out_of_orderness), skew);
        !reading.is_finished
            && (reading.classifier.watermark() == Watermark::BEGINNING || reading.classifier.watermark() <= limit())
    }

    /// Reads a piece of a partition, sends what it holds, and tells everybody how far it is.
    fn read_partition(
        &mut self,
        index: usize,
        capabilities: &[Capability<Time>],
        blocks: &mut Session<'_, Block>,
        quarantined: &mut Session<'_, QuarantineBatch>,
    ) -> Result<bool, crate::error::Error> {
        let Reading { id, reader, classifier, is_finished } = &mut self.readers[index];
        let partition = self.partitions.get(*id);
        let mut intake = Intake::new(partition, classifier, &mut self.blocks, self.keeps_quarantined);
        let progress = reader.read(&mut self.scratch, partition, &mut |record| intake.take(&record))?;
        let (received, kept) = intake.finish();

        let [blocks_capability, quarantined_capability] = capabilities else { return Ok(false) };
        for block in self.blocks.take(*id) {
            self.control.sent(self.worker, block.bytes());
            blocks.session(blocks_capability).give(block);
        }
        if !kept.is_empty() {
            let bytes = kept.iter().map(Quarantined::bytes).sum();
            self.control.sent(self.worker, bytes);
            let origin = u32::try_from(self.worker).unwrap_or(u32::MAX);
            quarantined.session(quarantined_capability).give(QuarantineBatch { origin, bytes, records: kept });
        }
        let mut must_wake =
            classifier.span().is_some_and(|span| self.partitions.advance(*id, classifier.watermark(), span));
        if progress == Progress::Finished {
            *is_finished = true;
            must_wake |= self.partitions.finish(*id);
        }
        if must_wake {
            self.control.wake_all();
        }
        Ok(received > 0 || progress == Progress::Ready)
    }

    /// Lets this worker's time pass to the job watermark; a bounded input that is read to its end lets go of time.
    fn advance(&self, mut capabilities: Vec<Capability<Time>>) -> Option<Vec<Capability<Time>>> {
        if !self.settings.is_unbounded && self.readers.iter().all(|reading| reading.is_finished) {
            return None;
        }
        let now = self.partitions.job_watermark().first_open_window();
        for capability in &mut capabilities {
            // The job watermark never falls, and it is the minimum over the partitions of this worker among others.
            let _ = capability.try_downgrade(&now);
        }
        Some(capabilities)
    }
}

/// The first window that may still get events from this worker.
fn window_of(capabilities: &[Capability<Time>]) -> Time {
    capabilities.first().map_or(0, |capability| *capability.time())
}
