//! A partition while it is read: its reader, its verdicts, and how far it is.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use schemas::{FastDecoder, Window};
use timely::scheduling::SyncActivator;

use super::intake::{Intake, Taken};
use super::operator::SourceSettings;
use super::resumption::Resumption;
use super::{Opened, PartitionReader, Progress};
use crate::block::BlockBuilder;
use crate::classify::Classifier;
use crate::clock;
use crate::commit::marker::Marker;
use crate::commit::record::{MAX_JOINS, RecordTotals};
use crate::duration::millis;
use crate::error::Error;
use crate::partitions::{Partition, Watermark};
use crate::record::Offset;

/// How often a partition that moves tells how far it is; several times within a commit interval.
pub(super) const MARKER_INTERVAL: Duration = Duration::from_millis(200);

/// A partition that this worker reads.
pub(super) struct Reading<R> {
    pub(super) partition: Arc<Partition>,
    pub(super) classifier: Classifier,
    pub(super) is_finished: bool,
    reader: R,
    decoder: FastDecoder,
    resumption: Resumption,
    /// The next offset, as far as records have been handed over or their end was seen.
    position: Offset,
    totals: RecordTotals,
    seen_millis: i64,
    /// Whether it has moved since its last marker.
    has_moved: bool,
    /// Whether it had not been read as far as it reached when the job started.
    was_behind: bool,
    marked: Instant,
}

impl<R: PartitionReader> Reading<R> {
    pub(super) fn new(
        partition: Arc<Partition>,
        opened: Opened<R>,
        settings: &SourceSettings,
        closed_through: Watermark,
    ) -> Self {
        let Opened { reader, begin, .. } = opened;
        partition.position.fetch_max(begin.offset.0, Ordering::Relaxed);
        partition.end_at_start.store(begin.end.0, Ordering::Relaxed);
        partition.end.fetch_max(begin.end.0, Ordering::Relaxed);
        let mut this = Reading {
            partition,
            classifier: Classifier::at(&settings.rules, begin.watermark),
            is_finished: false,
            reader,
            decoder: FastDecoder::default(),
            resumption: Resumption::new(&begin, closed_through),
            position: begin.offset,
            totals: begin.totals,
            seen_millis: begin.seen_millis,
            has_moved: true,
            was_behind: true,
            marked: Instant::now(),
        };
        this.reach(begin.offset);
        this
    }

    pub(super) fn start(&mut self, wake: &SyncActivator) -> Result<(), Error> {
        self.reader.start(wake)
    }

    /// Up to where it lets the job believe that it is complete.
    pub(super) fn watermark(&self) -> Watermark {
        self.resumption.limit(self.classifier.complete_through())
    }

    /// Whether the committer does not know how far it is.
    pub(super) const fn has_news(&self) -> bool {
        self.has_moved
    }

    /// Reads a piece of it.
    pub(super) fn read(
        &mut self,
        scratch: &mut Vec<u8>,
        blocks: &mut BlockBuilder,
        keeps_quarantined: bool,
        job_watermark: Watermark,
    ) -> Result<(Progress, Taken), Error> {
        let Reading { partition, reader, decoder, classifier, resumption, .. } = self;
        let mut intake = Intake {
            partition,
            decoder,
            classifier,
            resumption,
            blocks,
            keeps_quarantined,
            job_watermark,
            taken: Taken::default(),
        };
        let progress = reader.read(scratch, partition, &mut |record| intake.take(&record))?;
        let taken = intake.finish();
        if taken.has_new_events {
            self.seen_millis = clock::now_millis();
        }
        self.totals = self.totals.plus(taken.totals);
        self.is_finished = progress == Progress::Finished;
        let position = Offset(self.partition.position.load(Ordering::Relaxed));
        if position > self.position || taken.records() > 0 {
            self.has_moved = true;
            self.reach(position);
        }
        Ok((progress, taken))
    }

    /// All that lies below `position` has been read.
    fn reach(&mut self, position: Offset) {
        self.position = self.position.max(position);
        self.resumption.reach(self.position, &mut self.classifier);
        if !self.resumption.is_replaying() {
            self.partition.set_replayed();
        }
    }

    /// Looks whether it has become idle, and says so once. It needs proof: a broker that was asked after the timeout had
    /// passed, and said that there is nothing to read.
    pub(super) fn look_for_idle(&mut self, timeout: Duration) -> bool {
        let since = self.seen_millis.saturating_add(millis(timeout));
        if self.partition.is_idle() || self.resumption.is_replaying() || clock::now_millis() < since {
            return false;
        }
        // Its record would have no room for another return.
        if self.resumption.trail_mut().joins().len() >= MAX_JOINS {
            return false;
        }
        if !self.partition.is_proven_empty(self.position.0, since) {
            // Where there is something to read it need not be asked.
            if self.position.0 >= self.partition.end.load(Ordering::Relaxed) {
                self.partition.want_proof();
            }
            return false;
        }
        self.partition.set_idle(true);
        self.has_moved = true;
        true
    }

    /// How far it is, where it has moved and the committer should know. Until it has read again what it had read before
    /// the job started, the record of that time stands.
    pub(super) fn take_marker(&mut self, is_due: bool, first_needed: Window) -> Option<Marker> {
        // Whoever waits for the job to recover hears of it at once.
        let has_caught_up = !self.was_behind || self.partition.has_caught_up();
        let is_news = std::mem::replace(&mut self.was_behind, !has_caught_up) && has_caught_up;
        let is_wanted = self.has_moved && (is_due || is_news || self.marked.elapsed() >= MARKER_INTERVAL);
        if !is_wanted || self.resumption.is_replaying() {
            return None;
        }
        self.has_moved = false;
        self.marked = Instant::now();
        let trail = self.resumption.trail_mut();
        trail.forget_before(first_needed, self.position);
        Some(Marker {
            partition: self.partition.id,
            position: self.position,
            watermark: self.classifier.watermark(),
            firsts: trail.firsts(),
            joins: trail.joins().to_vec(),
            seen_millis: self.seen_millis,
            is_idle: self.partition.is_idle(),
            totals: self.totals,
        })
    }
}
