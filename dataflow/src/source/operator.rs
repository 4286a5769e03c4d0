//! The source: reads a worker's partitions, decodes and classifies their records, and makes time pass.
//!
//! The order of its work carries the guarantees. What is read is sent first; then markers that say how far each partition
//! is; then the partition's watermark is published; and only then does this worker let time pass, to the job watermark
//! that it sees. So whoever sees a time pass has all records, and all markers, that were sent before it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use schemas::Window;
use serde::{Deserialize, Serialize};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::generic::{OutputBuilder, OutputBuilderSession};
use timely::dataflow::{Scope, StreamVec};
use timely::scheduling::{Activator, SyncActivator};

use super::reading::{MARKER_INTERVAL, Reading};
use super::{Arrivals, Opened, PartitionReader, Progress};
use crate::block::{Block, BlockBuilder};
use crate::classify::Rules;
use crate::commit::begin::watermark_of;
use crate::commit::ledger::first_needed;
use crate::commit::marker::Marker;
use crate::control::{Control, IN_FLIGHT_LIMIT_BYTES};
use crate::distinct::Time;
use crate::duration::millis;
use crate::error::Error;
use crate::partitions::{Partitions, Watermark};
use crate::record::Quarantined;

/// How long the source may keep the worker before the other operators get their turn.
const TURN: Duration = Duration::from_millis(2);
/// How many windows may be closed here whose rows the sinks have not acknowledged: a slow sink slows the reading.
const MAX_UNACKNOWLEDGED_WINDOWS: u64 = 64;

/// What the sources of all workers share.
#[derive(Clone)]
pub struct SourceSettings {
    /// The rules of time.
    pub rules: Rules,
    /// After how long without a valid record a partition that has nothing to read is idle; `None`: never.
    pub idle_timeout: Option<Duration>,
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
            rules: Rules {
                out_of_orderness: Duration::from_secs(10),
                max_future_skew: None,
                allowed_lateness: Duration::ZERO,
                event_types: Vec::new(),
            },
            idle_timeout: None,
            max_partition_skew: Some(2 * window),
            is_unbounded: false,
        }
    }
}

/// Late and rejected records of one partition, and markers that lie behind them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuarantineBatch {
    /// The worker that read them.
    pub origin: u32,
    /// How much memory they take, in bytes.
    pub bytes: usize,
    /// The records, in the order of the partition.
    pub records: Vec<Quarantined>,
    /// How far partitions are, for a job that keeps resume records.
    pub markers: Vec<Marker>,
}

/// The source's two streams.
pub struct Sources<'scope> {
    /// Events that are on time.
    pub blocks: StreamVec<'scope, Time, Block>,
    /// Records that are not counted, unless they are only to be tallied.
    pub quarantined: StreamVec<'scope, Time, QuarantineBatch>,
}

type Session<'a, D> = OutputBuilderSession<'a, Time, CapacityContainerBuilder<Vec<D>>>;

/// What a source shares with the rest of the job.
#[derive(Clone)]
pub struct Shared {
    /// Stop, failure and back-pressure.
    pub control: Arc<Control>,
    /// The input's partitions.
    pub partitions: Arc<Partitions>,
    /// What was closed when the job started.
    pub closed_through: Watermark,
    /// Whether late and rejected records are kept, or only counted.
    pub keeps_quarantined: bool,
    /// Whether the job keeps resume records.
    pub sends_markers: bool,
}

/// Reads this worker's partitions, and those that arrive later. `acknowledged` tells the first window whose rows are not
/// durable in every sink.
pub fn source<'scope, R: PartitionReader>(
    scope: Scope<'scope, Time>,
    opened: Vec<Opened<R>>,
    arrivals: Arrivals<R>,
    settings: &SourceSettings,
    shared: Shared,
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
    shared.control.register_source(worker, wake.clone());
    let activator = scope.activator_for(address);

    builder.build(move |capabilities| {
        let mut source = Source {
            worker,
            readings: Vec::new(),
            // One capability for each output, as they are separate in timely's eyes.
            capabilities: Some(capabilities),
            blocks: BlockBuilder::new(worker, scope.peers()),
            scratch: Vec::new(),
            next: 0,
            settings: settings.clone(),
            shared,
            arrivals,
            wake,
            activator,
        };
        for partition in opened {
            source.take_up(partition);
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
    readings: Vec<Reading<R>>,
    capabilities: Option<Vec<Capability<Time>>>,
    blocks: BlockBuilder,
    scratch: Vec<u8>,
    /// The reading whose turn is next.
    next: usize,
    settings: SourceSettings,
    shared: Shared,
    arrivals: Arrivals<R>,
    wake: SyncActivator,
    activator: Activator,
}

impl<R: PartitionReader> Source<R> {
    /// Begins to read a partition.
    fn take_up(&mut self, opened: Opened<R>) {
        let partition = self.shared.partitions.get(opened.id);
        let mut reading = Reading::new(partition, opened, &self.settings, self.shared.closed_through);
        if let Err(error) = reading.start(&self.wake) {
            self.shared.control.fail(error);
        }
        self.shared.partitions.advance(&reading.partition, reading.watermark(), None);
        self.readings.push(reading);
    }

    /// One turn: reads for a while, then lets time pass.
    fn run(
        &mut self,
        blocks: &mut Session<'_, Block>,
        quarantined: &mut Session<'_, QuarantineBatch>,
        acknowledged: &impl Fn() -> Time,
    ) {
        let Some(capabilities) = self.capabilities.take() else { return };
        if self.shared.control.is_stopping() {
            // Time stands still from here on: what is open stays open, as its events are not all read.
            if self.shared.control.rests_at(self.worker).is_none() {
                self.send_markers(&capabilities, quarantined, true);
                self.shared.control.source_rests(self.worker, window_of(&capabilities));
            }
            self.capabilities = Some(capabilities);
            return;
        }
        for mut arrival in self.arrivals.take(self.worker) {
            // It cannot join earlier than this worker's time.
            for join in &mut arrival.begin.joins {
                join.watermark = join.watermark.max(watermark_of(window_of(&capabilities)));
            }
            self.take_up(arrival);
        }
        // Before more is read: where records never cease to come, what this turn reads is always on its way at its end.
        let control = &self.shared.control;
        if !control.has_worker_settled(self.worker)
            && control.in_flight_bytes(self.worker) == 0
            && self.shared.partitions.have_caught_up()
        {
            control.settle(self.worker);
        }
        let is_ready = match self.read_for_a_turn(&capabilities, blocks, quarantined, acknowledged) {
            Ok(is_ready) => is_ready,
            Err(error) => {
                self.shared.control.fail(error);
                false
            }
        };
        self.look_for_idle();
        self.capabilities = self.advance(capabilities, quarantined);
        if self.capabilities.is_none() {
            self.shared.control.source_rests(self.worker, u64::MAX);
        }
        if is_ready {
            self.activator.activate();
        } else if self.readings.iter().any(Reading::has_news) {
            self.activator.activate_after(MARKER_INTERVAL);
        }
    }

    /// Reads partition by partition; returns whether there may be more to read at once.
    fn read_for_a_turn(
        &mut self,
        capabilities: &[Capability<Time>],
        blocks: &mut Session<'_, Block>,
        quarantined: &mut Session<'_, QuarantineBatch>,
        acknowledged: &impl Fn() -> Time,
    ) -> Result<bool, Error> {
        let turn_began = Instant::now();
        let mut without_progress = 0;
        // A round in which no partition yields anything ends the turn.
        while without_progress < self.readings.len() {
            if self.is_held_up(capabilities, acknowledged) {
                return Ok(false);
            }
            if turn_began.elapsed() >= TURN {
                return Ok(true);
            }
            let index = self.next;
            self.next = (self.next + 1) % self.readings.len();
            let has_progressed =
                self.may_read(index) && self.read_partition(index, capabilities, blocks, quarantined)?;
            without_progress = if has_progressed { 0 } else { without_progress + 1 };
            // A window that can be closed is closed before more windows are opened.
            if has_progressed && self.shared.partitions.job_watermark().first_open_window() > window_of(capabilities) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Back-pressure: too much is on its way to the workers or to the sinks. Whoever takes it in wakes this source.
    fn is_held_up(&self, capabilities: &[Capability<Time>], acknowledged: &impl Fn() -> Time) -> bool {
        self.shared.control.in_flight_bytes(self.worker) >= IN_FLIGHT_LIMIT_BYTES
            || acknowledged().saturating_add(MAX_UNACKNOWLEDGED_WINDOWS) < window_of(capabilities)
    }

    /// Alignment: a partition that is too far ahead of the slowest waits for it.
    fn may_read(&self, index: usize) -> bool {
        let reading = &self.readings[index];
        // One that is idle and has got records holds nobody up: it is to join before the others leave its events behind.
        if reading.partition.is_idle() {
            return true;
        }
        let skew = self.settings.max_partition_skew.map(millis);
        let limit = || self.shared.partitions.alignment_limit(millis(self.settings.rules.out_of_orderness), skew);
        !reading.is_finished && (reading.watermark() == Watermark::BEGINNING || reading.watermark() <= limit())
    }

    /// Reads a piece of a partition, sends what it holds, and tells everybody how far it is.
    fn read_partition(
        &mut self,
        index: usize,
        capabilities: &[Capability<Time>],
        blocks: &mut Session<'_, Block>,
        quarantined: &mut Session<'_, QuarantineBatch>,
    ) -> Result<bool, Error> {
        let Shared { control, partitions, keeps_quarantined, .. } = &self.shared;
        let reading = &mut self.readings[index];
        let join_at = || partitions.watermark_without(reading.partition.id).max(watermark_of(window_of(capabilities)));
        let job_watermark = if reading.partition.is_idle() { join_at() } else { Watermark::BEGINNING };
        let was_idle = reading.partition.is_idle();
        let (progress, taken) = reading.read(&mut self.scratch, &mut self.blocks, *keeps_quarantined, job_watermark)?;

        let [blocks_capability, quarantined_capability] = capabilities else { return Ok(false) };
        for block in self.blocks.take() {
            control.sent(self.worker, block.bytes());
            blocks.session(blocks_capability).give(block);
        }
        let records_taken = taken.records();
        if !taken.quarantined.is_empty() {
            // With the marker that lies behind them: a commit has both or neither, so none is forwarded twice.
            let first_needed = first_needed(control.committed(), self.settings.rules.horizon_windows());
            let reading = &mut self.readings[index];
            let marker = if self.shared.sends_markers { reading.take_marker(true, first_needed) } else { None };
            self.send_quarantined(quarantined_capability, quarantined, taken.quarantined, marker.into_iter().collect());
        }
        let Shared { control, partitions, .. } = &self.shared;
        let reading = &self.readings[index];
        let mut must_wake = partitions.advance(&reading.partition, reading.watermark(), reading.classifier.span());
        if progress == Progress::Finished {
            must_wake |= partitions.finish(&reading.partition);
        }
        if must_wake || was_idle != reading.partition.is_idle() {
            control.wake_all();
        }
        Ok(records_taken > 0 || progress == Progress::Ready)
    }

    /// A partition that is known to have nothing to read, and has had nothing for a while, holds nobody up.
    fn look_for_idle(&mut self) {
        let Some(timeout) = self.settings.idle_timeout else { return };
        let mut any = false;
        for reading in &mut self.readings {
            any |= reading.look_for_idle(timeout);
        }
        if any {
            self.shared.partitions.announces_window();
            self.shared.control.wake_all();
        }
    }

    /// Lets this worker's time pass to the job watermark; a bounded input that is read to its end lets go of time.
    fn advance(
        &mut self,
        mut capabilities: Vec<Capability<Time>>,
        quarantined: &mut Session<'_, QuarantineBatch>,
    ) -> Option<Vec<Capability<Time>>> {
        if !self.settings.is_unbounded && self.readings.iter().all(|reading| reading.is_finished) {
            return None;
        }
        let now = self.shared.partitions.job_watermark().first_open_window();
        let passes = now > window_of(&capabilities);
        self.send_markers(&capabilities, quarantined, passes);
        for capability in &mut capabilities {
            // The job watermark is the minimum over the partitions of this worker among others. Where it falls, because
            // a partition has joined, time stays where it is.
            let _ = capability.try_downgrade(&now);
        }
        Some(capabilities)
    }

    /// Tells how far the partitions are that have moved: now and then, and always before time passes.
    fn send_markers(
        &mut self,
        capabilities: &[Capability<Time>],
        quarantined: &mut Session<'_, QuarantineBatch>,
        is_due: bool,
    ) {
        let [_, capability] = capabilities else { return };
        if !self.shared.sends_markers {
            return;
        }
        let first_needed = first_needed(self.shared.control.committed(), self.settings.rules.horizon_windows());
        let markers: Vec<_> =
            self.readings.iter_mut().filter_map(|reading| reading.take_marker(is_due, first_needed)).collect();
        if !markers.is_empty() {
            self.send_quarantined(capability, quarantined, Vec::new(), markers);
        }
    }

    fn send_quarantined(
        &self,
        capability: &Capability<Time>,
        quarantined: &mut Session<'_, QuarantineBatch>,
        records: Vec<Quarantined>,
        markers: Vec<Marker>,
    ) {
        let bytes = records.iter().map(Quarantined::bytes).chain(markers.iter().map(Marker::bytes)).sum();
        self.shared.control.sent(self.worker, bytes);
        let origin = u32::try_from(self.worker).unwrap_or(u32::MAX);
        quarantined.session(capability).give(QuarantineBatch { origin, bytes, records, markers });
    }
}

/// The first window that may still get events from this worker.
fn window_of(capabilities: &[Capability<Time>]) -> Time {
    capabilities.first().map_or(0, |capability| *capability.time())
}
