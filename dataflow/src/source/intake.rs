//! What becomes of each record that is read: decoded, classified, and put into a block, into quarantine or into no more
//! than a count.

use std::sync::atomic::Ordering;

use schemas::{EventView, FastDecoder, MAX_RECORD_BYTES, Reason};
use sha2::{Digest, Sha256};

use super::resumption::Resumption;
use super::{Message, Record, Value};
use crate::block::BlockBuilder;
use crate::classify::{Classifier, Timing};
use crate::commit::record::{Join, RecordTotals};
use crate::partitions::{Partition, Watermark};
use crate::record::{Cut, Offset, Quarantined, Verdict};

/// Takes the records of one read of a partition.
pub(super) struct Intake<'a> {
    pub(super) partition: &'a Partition,
    pub(super) decoder: &'a mut FastDecoder,
    pub(super) classifier: &'a mut Classifier,
    pub(super) resumption: &'a mut Resumption,
    pub(super) blocks: &'a mut BlockBuilder,
    /// Whether late and rejected records are kept, or only counted.
    pub(super) keeps_quarantined: bool,
    /// Where the job is, for a partition that has been idle: it joins there.
    pub(super) job_watermark: Watermark,
    pub(super) taken: Taken,
}

/// What came of one read.
#[derive(Default)]
pub(super) struct Taken {
    /// Late and rejected records that are kept.
    pub(super) quarantined: Vec<Quarantined>,
    /// Whether any record was a valid event that was not read before.
    pub(super) has_new_events: bool,
    /// What became of the records.
    pub(super) totals: RecordTotals,
    /// Records that were read before.
    pub(super) replayed: u64,
    rejected: [u64; Reason::ALL.len()],
}

impl Taken {
    /// How many records came.
    pub(super) const fn records(&self) -> u64 {
        self.totals.received + self.replayed
    }
}

impl Intake<'_> {
    /// Adds what was counted to the partition's totals.
    pub(super) fn finish(self) -> Taken {
        let Intake { partition, taken, .. } = self;
        let RecordTotals { received, counted, late, filtered, .. } = taken.totals;
        partition.received.fetch_add(received, Ordering::Relaxed);
        partition.counted.fetch_add(counted, Ordering::Relaxed);
        partition.late.fetch_add(late, Ordering::Relaxed);
        partition.filtered.fetch_add(filtered, Ordering::Relaxed);
        partition.replayed.fetch_add(taken.replayed, Ordering::Relaxed);
        for (reason, records) in Reason::ALL.into_iter().zip(taken.rejected).filter(|(_, records)| *records > 0) {
            partition.add_rejected(reason, records);
        }
        taken
    }

    /// Decodes and classifies a record.
    #[inline]
    pub(super) fn take(&mut self, record: &Record<'_>) {
        let was_received = self.resumption.pass(record.offset, self.classifier);
        // Without a way through owned texts: nearly all records come by here.
        if let Some(event) = record.event {
            return self.take_event(record, event, was_received);
        }
        let decoded = match record.value {
            Value::Whole(bytes) => match self.decoder.decode(bytes) {
                Some(event) => return self.take_event(record, &event, was_received),
                None => schemas::decode_general(bytes),
            },
            Value::Null => Err(Reason::Empty),
            Value::Cut(..) => Err(Reason::TooLarge),
        };
        match decoded {
            Ok(event) => self.take_event(record, &event.view(), was_received),
            Err(_) if was_received => self.taken.replayed += 1,
            Err(reason) => self.reject(record, reason),
        }
    }

    #[inline]
    fn take_event(&mut self, record: &Record<'_>, event: &EventView<'_>, was_received: bool) {
        if self.partition.is_idle() {
            self.join(record.offset);
        }
        let before = self.classifier.watermark();
        let timing = self.classifier.judge(event, record.time_millis);
        if let Timing::OnTime { window, takes_effect } = timing {
            self.resumption.note(window, record.offset, before);
            self.blocks.push(event, window, takes_effect);
        }
        if was_received {
            return self.taken.replayed += 1;
        }
        self.taken.has_new_events |= !matches!(timing, Timing::Rejected(_));
        match timing {
            Timing::Rejected(reason) => return self.reject(record, reason),
            Timing::OnTime { .. } => self.taken.totals.counted += 1,
            Timing::Filtered => self.taken.totals.filtered += 1,
            Timing::Late { lateness_millis } => {
                self.taken.totals.late += 1;
                self.quarantine(record, Verdict::Late { event_millis: event.timestamp.millis(), lateness_millis });
            }
        }
        self.taken.totals.received += 1;
    }

    /// The partition is idle no longer.
    #[cold]
    fn join(&mut self, offset: Offset) {
        let join = Join { offset, watermark: self.job_watermark };
        self.resumption.join(join, self.classifier);
        self.partition.set_idle(false);
    }

    #[cold]
    fn reject(&mut self, record: &Record<'_>, reason: Reason) {
        self.taken.totals.received += 1;
        self.taken.totals.rejected += 1;
        self.taken.rejected[reason as usize] += 1;
        self.quarantine(record, Verdict::Rejected(reason));
    }

    fn quarantine(&mut self, record: &Record<'_>, verdict: Verdict) {
        if !self.keeps_quarantined {
            return;
        }
        let (value, cut) = match record.value {
            Value::Null => (None, None),
            Value::Whole(bytes) if bytes.len() > MAX_RECORD_BYTES => {
                let cut = Cut { length: bytes.len() as u64, sha256: Sha256::digest(bytes).into() };
                (Some(bytes[..MAX_RECORD_BYTES].to_vec()), Some(cut))
            }
            Value::Whole(bytes) => (Some(bytes.to_vec()), None),
            Value::Cut(kept, cut) => (Some(kept.to_vec()), Some(cut)),
        };
        self.taken.quarantined.push(Quarantined {
            verdict,
            source: self.partition.source.clone(),
            partition: self.partition.id,
            offset: record.offset,
            key: record.message.and_then(Message::key),
            headers: record.message.map(Message::headers).unwrap_or_default(),
            value,
            cut,
        });
    }
}
