//! What the committer knows of every partition, and the records that it makes of it.

use std::collections::{BTreeMap, BTreeSet};

use schemas::{EventTime, Window};

use super::begin::Start;
use super::home::Commit;
use super::marker::Marker;
use super::record::{Fingerprint, ResumeRecord};
use crate::distinct::Time;
use crate::record::{Offset, PartitionId};

/// What is the same in all records of a job.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Of the settings that change what is counted.
    pub settings: Fingerprint,
    /// Host, process and start.
    pub owner: String,
    /// By how much a watermark trails the greatest event, in milliseconds.
    pub out_of_orderness_millis: i64,
    /// How many windows after its own time an event may still change a row.
    pub horizon_windows: u64,
}

/// The latest marker of each partition.
#[derive(Debug)]
pub struct Ledger {
    identity: Identity,
    epoch: u64,
    first_open: Time,
    revision: u64,
    partitions: u32,
    /// Where each partition ended when the job started.
    ends: Vec<Offset>,
    markers: BTreeMap<PartitionId, Marker>,
    changed: BTreeSet<PartitionId>,
}

impl Ledger {
    /// For a job that starts so.
    #[must_use]
    pub fn new(identity: Identity, start: &Start) -> Self {
        Ledger {
            identity,
            epoch: start.epoch,
            first_open: start.first_open,
            revision: start.revision,
            partitions: u32::try_from(start.partitions.len()).unwrap_or(u32::MAX),
            ends: start.partitions.iter().map(|begin| begin.end).collect(),
            markers: BTreeMap::new(),
            changed: BTreeSet::new(),
        }
    }

    /// The job's epoch.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The first window whose rows are not durable.
    #[must_use]
    pub const fn first_open(&self) -> Time {
        self.first_open
    }

    /// Whether every partition has been read as far as it reached when the job started.
    #[must_use]
    pub fn has_caught_up(&self) -> bool {
        let mut ends = (0..).map(PartitionId).zip(&self.ends);
        ends.all(|(partition, end)| self.markers.get(&partition).is_some_and(|marker| marker.position >= *end))
    }

    /// Takes note of a partition's state.
    pub fn take(&mut self, marker: Marker) {
        self.changed.insert(marker.partition);
        self.markers.insert(marker.partition, marker);
        // Partitions that the topic has got since the start count once all before them have a record: a restart refuses
        // to do without the record of one that counts.
        while self.markers.contains_key(&PartitionId(self.partitions)) {
            self.partitions += 1;
            // Every record says how many there are.
            self.touch_all();
        }
    }

    /// Every row of a window before `first_open` is durable once the next commit is.
    pub fn close(&mut self, first_open: Time) {
        self.first_open = self.first_open.max(first_open);
        self.changed.extend(self.markers.keys());
    }

    /// A row had this revision.
    pub fn note_revision(&mut self, revision: u64) {
        self.revision = self.revision.max(revision);
    }

    /// All records are to be written again.
    pub fn touch_all(&mut self) {
        self.changed.extend(self.markers.keys());
    }

    /// The records that have changed since the last call.
    pub fn take_commits(&mut self) -> Vec<Commit> {
        let changed = std::mem::take(&mut self.changed);
        changed.iter().filter_map(|partition| Some(self.commit_of(self.markers.get(partition)?))).collect()
    }

    fn commit_of(&self, marker: &Marker) -> Commit {
        let first_needed = first_needed(self.first_open, self.identity.horizon_windows);
        let resume = marker.resume_at(first_needed);
        let greatest = |millis: i64| EventTime::from_millis(millis + self.identity.out_of_orderness_millis).ok();
        let closed_through = i64::try_from(self.first_open).ok().filter(|first_open| *first_open > 0);
        Commit {
            partition: marker.partition,
            offset: resume.offset,
            record: ResumeRecord {
                closed_through: closed_through.and_then(|w| EventTime::from_millis(w * Window::MILLIS).ok()),
                greatest_event: resume.watermark.millis().and_then(greatest),
                position: marker.position,
                partitions: self.partitions,
                joins: marker.joins_from(resume.offset),
                seen: EventTime::from_millis(marker.seen_millis).unwrap_or(EventTime::MIN),
                is_idle: marker.is_idle,
                epoch: self.epoch,
                revision: self.revision,
                settings: self.identity.settings,
                owner: self.identity.owner.clone(),
                totals: marker.totals,
            },
        }
    }
}

/// The first window whose events a restart needs, where rows before `first_open` are durable: the window's end plus the
/// horizon must lie above W.
#[must_use]
pub fn first_needed(first_open: Time, horizon_windows: u64) -> Window {
    let ordinal = first_open.saturating_sub(horizon_windows);
    Window::from_ordinal(u32::try_from(ordinal).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::record::RecordTotals;
    use crate::partitions::Watermark;

    fn marker(partition: u32) -> Marker {
        Marker {
            partition: PartitionId(partition),
            position: Offset(7),
            watermark: Watermark::BEGINNING,
            firsts: Vec::new(),
            joins: Vec::new(),
            seen_millis: 0,
            is_idle: false,
            totals: RecordTotals::default(),
        }
    }

    #[test]
    fn a_partition_counts_once_all_before_it_have_a_record_and_then_every_record_says_so() {
        let identity = Identity {
            settings: Fingerprint(0),
            owner: "here:1".to_owned(),
            out_of_orderness_millis: 10_000,
            horizon_windows: 0,
        };
        let mut ledger = Ledger::new(identity, &Start::first([Offset(0), Offset(0)], 0));
        let mut take = |partitions: &[u32]| -> Vec<(u32, u32)> {
            partitions.iter().for_each(|partition| ledger.take(marker(*partition)));
            ledger.take_commits().iter().map(|commit| (commit.partition.0, commit.record.partitions)).collect()
        };
        assert_eq!(take(&[0, 1]), [(0, 2), (1, 2)]);
        assert_eq!(take(&[3]), [(3, 2)], "partition 2 has no record yet");
        assert_eq!(take(&[2]), [(0, 4), (1, 4), (2, 4), (3, 4)]);
        assert_eq!(take(&[1]), [(1, 4)]);
    }
}
