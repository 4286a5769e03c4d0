//! What becomes of each record that is read: decoded, classified, and put into a block, into quarantine or into no more
//! than a count.

use std::sync::atomic::Ordering;

use schemas::{MAX_RECORD_BYTES, Reason};
use sha2::{Digest, Sha256};

use super::{Message, Record, Value};
use crate::block::BlockBuilder;
use crate::classify::{Classifier, Timing};
use crate::partitions::Partition;
use crate::record::{Cut, Quarantined, Verdict};

/// Takes the records of one read of a partition.
pub(super) struct Intake<'a> {
    partition: &'a Partition,
    classifier: &'a mut Classifier,
    blocks: &'a mut BlockBuilder,
    keeps_quarantined: bool,
    quarantined: Vec<Quarantined>,
    tally: Tally,
}

impl<'a> Intake<'a> {
    /// Events that are on time go to `blocks`; late and rejected records are kept if asked for, and counted in any
    /// case.
    pub(super) fn new(
        partition: &'a Partition,
        classifier: &'a mut Classifier,
        blocks: &'a mut BlockBuilder,
        keeps_quarantined: bool,
    ) -> Self {
        Intake { partition, classifier, blocks, keeps_quarantined, quarantined: Vec::new(), tally: Tally::default() }
    }

    /// Adds what was counted to the partition's totals; returns how many records came, and those that are kept.
    pub(super) fn finish(self) -> (u64, Vec<Quarantined>) {
        self.tally.add_to(self.partition);
        (self.tally.received, self.quarantined)
    }

    /// Decodes and classifies a record.
    pub(super) fn take(&mut self, record: &Record<'_>) {
        self.tally.received += 1;
        let decoded = match record.value {
            Value::Whole(bytes) => schemas::decode(bytes),
            Value::Null => Err(Reason::Empty),
            Value::Cut(..) => Err(Reason::TooLarge),
        };
        let event = match decoded {
            Ok(event) => event,
            Err(reason) => return self.reject(record, reason),
        };
        match self.classifier.judge(&event, record.time_millis) {
            Timing::OnTime(window) => self.blocks.push(&event, window),
            Timing::Filtered => self.tally.filtered += 1,
            Timing::Rejected(reason) => self.reject(record, reason),
            Timing::Late { lateness_millis } => {
                self.tally.late += 1;
                self.quarantine(record, Verdict::Late { event_millis: event.timestamp.millis(), lateness_millis });
            }
        }
    }

    fn reject(&mut self, record: &Record<'_>, reason: Reason) {
        self.tally.rejected[reason as usize] += 1;
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
        self.quarantined.push(Quarantined {
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

/// Counts of one read, added to the partition's totals in one go.
#[derive(Clone, Copy, Default)]
struct Tally {
    received: u64,
    late: u64,
    filtered: u64,
    rejected: [u64; Reason::ALL.len()],
}

impl Tally {
    fn add_to(&self, partition: &Partition) {
        partition.received.fetch_add(self.received, Ordering::Relaxed);
        partition.late.fetch_add(self.late, Ordering::Relaxed);
        partition.filtered.fetch_add(self.filtered, Ordering::Relaxed);
        for (reason, records) in Reason::ALL.into_iter().zip(self.rejected).filter(|(_, records)| *records > 0) {
            partition.add_rejected(reason, records);
        }
    }
}
