//! What processes tell each other of the partitions that they read.

use std::sync::atomic::{AtomicU64, Ordering};

use schemas::Reason;
use serde::{Deserialize, Serialize};

use super::{Partition, Partitions};
use crate::record::PartitionId;

/// How far a partition of another process is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionNews {
    /// The partition.
    pub id: PartitionId,
    source: String,
    watermark: i64,
    is_finished: bool,
    is_idle: bool,
    is_replayed: bool,
    /// Received, counted, late, filtered, replayed, bytes read, position, end, end at start.
    counts: [u64; 9],
    rejected: [u64; Reason::ALL.len()],
}

impl Partition {
    fn counts(&self) -> [&AtomicU64; 9] {
        let Partition { received, counted, late, filtered, replayed, bytes_read, position, end, .. } = self;
        [received, counted, late, filtered, replayed, bytes_read, position, end, &self.end_at_start]
    }

    fn news(&self) -> PartitionNews {
        PartitionNews {
            id: self.id,
            source: self.source.clone(),
            watermark: self.watermark.load(Ordering::Acquire),
            is_finished: self.is_finished(),
            is_idle: self.is_idle(),
            is_replayed: self.is_replayed.load(Ordering::Acquire),
            counts: self.counts().map(|count| count.load(Ordering::Relaxed)),
            rejected: std::array::from_fn(|reason| self.rejected[reason].load(Ordering::Relaxed)),
        }
    }

    fn hear(&self, news: &PartitionNews) {
        for (known, told) in self.counts().into_iter().zip(news.counts) {
            known.store(told, Ordering::Relaxed);
        }
        for (known, told) in self.rejected.iter().zip(news.rejected) {
            known.store(told, Ordering::Relaxed);
        }
        self.watermark.store(news.watermark, Ordering::Release);
        self.is_finished.store(news.is_finished, Ordering::Release);
        self.is_replayed.store(news.is_replayed, Ordering::Release);
        self.is_idle.store(news.is_idle, Ordering::Release);
    }
}

impl Partitions {
    /// How far every partition is, for other processes.
    #[must_use]
    pub fn news(&self) -> Vec<PartitionNews> {
        self.read().iter().map(|partition| partition.news()).collect()
    }

    /// Takes note of how far a partition is that another process reads.
    pub fn hear(&self, news: &PartitionNews) {
        self.ensure(news.id, &news.source);
        self.get(news.id).hear(news);
    }

    /// The times of the earliest and the latest event read, for other processes.
    #[must_use]
    pub fn events_millis(&self) -> (i64, i64) {
        (self.earliest_event.load(Ordering::Acquire), self.latest_event.load(Ordering::Acquire))
    }

    /// Takes note of the events that another process has read.
    pub fn hear_events(&self, (earliest, latest): (i64, i64)) {
        self.earliest_event.fetch_min(earliest, Ordering::AcqRel);
        self.latest_event.fetch_max(latest, Ordering::AcqRel);
    }
}
