//! What every worker knows of every input partition: the one table from which the job watermark, the
//! alignment, the metrics and the closing summary are taken.
//!
//! It lives outside of event time. Writers are the worker that reads a partition and the workers that count
//! its events, a few times per block of records; readers take what they see. Only the watermark's order matters: a
//! reader publishes it after it has sent the records below it.

mod news;
mod partition;
mod totals;
mod watermark;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use schemas::{EventTime, Reason, Window};

pub use self::news::PartitionNews;
pub use self::partition::Partition;
pub use self::totals::Totals;
pub use self::watermark::Watermark;
use crate::classify::EventSpan;
use crate::clock;
use crate::duration::millis;
use crate::record::PartitionId;

/// What happens to the watermark when every partition is idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnAllIdle {
    /// It stays.
    Freeze,
    /// It follows the clock, this far behind, up to the end of the last open window.
    Advance {
        /// The out-of-orderness and the idle timeout together.
        behind: Duration,
    },
}

/// The table of partitions.
#[derive(Debug)]
pub struct Partitions {
    table: RwLock<Vec<Arc<Partition>>>,
    on_all_idle: OnAllIdle,
    /// The earliest event read from any partition, in milliseconds since the epoch.
    earliest_event: AtomicI64,
    /// The latest one.
    latest_event: AtomicI64,
    /// The first open window that was last told to the workers.
    announced_window: AtomicU64,
    /// The highest job watermark so far.
    reached: AtomicI64,
}

impl Partitions {
    /// A table with one partition for each source name, numbered in order.
    pub fn new(sources: impl IntoIterator<Item = String>) -> Self {
        Self::with_idle_rule(sources, OnAllIdle::Freeze)
    }

    /// The same, of partitions that may become idle.
    pub fn with_idle_rule(sources: impl IntoIterator<Item = String>, on_all_idle: OnAllIdle) -> Self {
        let entry = |(id, source)| Arc::new(Partition::new(id, source));
        Partitions {
            table: RwLock::new((0..).map(PartitionId).zip(sources).map(entry).collect()),
            on_all_idle,
            earliest_event: AtomicI64::new(i64::MAX),
            latest_event: AtomicI64::new(i64::MIN),
            announced_window: AtomicU64::new(0),
            reached: AtomicI64::new(Watermark::BEGINNING.0),
        }
    }

    /// The partition's entry.
    ///
    /// # Panics
    /// When there is none of this number.
    #[must_use]
    pub fn get(&self, PartitionId(id): PartitionId) -> Arc<Partition> {
        Arc::clone(&self.read()[id as usize])
    }

    /// Makes sure that the table has a partition of this number: the input may have got it since the start.
    pub fn ensure(&self, id: PartitionId, source: &str) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        while let Ok(next) = u32::try_from(table.len())
            && next <= id.0
        {
            table.push(Arc::new(Partition::new(PartitionId(next), source.to_owned())));
        }
    }

    /// All partitions, by number.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Partition>> {
        self.read().clone()
    }

    /// How many partitions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.read().is_empty()
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<Arc<Partition>>> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The job watermark: up to where every partition that is not idle is complete.
    #[must_use]
    pub fn job_watermark(&self) -> Watermark {
        self.watermark_of(&self.read(), None)
    }

    /// The job watermark without this partition: what it finds when it joins.
    #[must_use]
    pub fn watermark_without(&self, id: PartitionId) -> Watermark {
        self.watermark_of(&self.read(), Some(id))
    }

    fn watermark_of(&self, table: &[Arc<Partition>], without: Option<PartitionId>) -> Watermark {
        if table.is_empty() {
            return Watermark::END;
        }
        let active = table.iter().filter(|partition| !partition.is_idle() && Some(partition.id) != without);
        let watermark =
            active.map(|partition| partition.watermark()).min().unwrap_or_else(|| self.all_idle_watermark());
        self.reached.fetch_max(watermark.0, Ordering::AcqRel);
        watermark
    }

    /// All idle: no event holds the watermark, so that the last open window may close, and no later one.
    fn all_idle_watermark(&self) -> Watermark {
        let reached = Watermark(self.reached.load(Ordering::Acquire));
        let OnAllIdle::Advance { behind } = self.on_all_idle else { return reached };
        let Some(EventSpan { latest, .. }) = self.event_span() else { return reached };
        let by_the_clock = Watermark::at(clock::now_millis().saturating_sub(millis(behind)));
        reached.max(by_the_clock.min(Watermark::at(Window::of(latest).end_millis())))
    }

    /// The partition that holds the job watermark back: the slowest, if any other is ahead of it.
    #[must_use]
    pub fn holder(&self) -> Option<Arc<Partition>> {
        let table = self.read();
        let active = || table.iter().filter(|partition| !partition.is_idle());
        let slowest = active().min_by_key(|partition| partition.watermark())?;
        active().any(|partition| partition.watermark() > slowest.watermark()).then(|| Arc::clone(slowest))
    }

    /// Whether every partition has been read as far as it reached when the job started.
    #[must_use]
    pub fn have_caught_up(&self) -> bool {
        self.read().iter().all(|partition| partition.has_caught_up())
    }

    /// Publishes how far a partition is complete and which times its events have, after what lies below was sent.
    ///
    /// Returns whether the job watermark entered a window that no worker was told of: then they must be woken.
    pub fn advance(&self, partition: &Partition, to: Watermark, span: Option<EventSpan>) -> bool {
        if let Some(span) = span {
            self.earliest_event.fetch_min(span.earliest.millis(), Ordering::AcqRel);
            self.latest_event.fetch_max(span.latest.millis(), Ordering::AcqRel);
        }
        partition.watermark.fetch_max(to.0, Ordering::AcqRel);
        self.announces_window()
    }

    /// Takes note that a partition has been read to its end; returns what [`advance`](Self::advance) does.
    pub fn finish(&self, partition: &Partition) -> bool {
        partition.is_finished.store(true, Ordering::Release);
        self.announces_window()
    }

    /// Whether the job watermark has entered a window that no worker was told of.
    pub fn announces_window(&self) -> bool {
        let window = self.job_watermark().first_open_window();
        self.announced_window.fetch_max(window, Ordering::AcqRel) < window
    }

    /// The times of the earliest and the latest valid event of all partitions.
    #[must_use]
    pub fn event_span(&self) -> Option<EventSpan> {
        let earliest = EventTime::from_millis(self.earliest_event.load(Ordering::Acquire)).ok()?;
        let latest = EventTime::from_millis(self.latest_event.load(Ordering::Acquire)).ok()?;
        Some(EventSpan { earliest, latest })
    }

    /// The watermark beyond which no partition may be read: that of the slowest, plus the allowed skew.
    ///
    /// A partition without a valid event so far stands where the earliest event of all partitions has put it.
    #[must_use]
    pub fn alignment_limit(&self, out_of_orderness_millis: i64, max_skew_millis: Option<i64>) -> Watermark {
        let Some(max_skew_millis) = max_skew_millis else { return Watermark::END };
        let earliest = match self.earliest_event.load(Ordering::Acquire) {
            i64::MAX => return Watermark::END,
            millis => Watermark::at(millis - out_of_orderness_millis),
        };
        let table = self.read();
        let active = table.iter().filter(|partition| !partition.is_idle());
        let slowest = active.map(|partition| partition.watermark().max(earliest)).min();
        slowest.unwrap_or(Watermark::END).plus(max_skew_millis)
    }

    /// Records that the broker has beyond those read, where there is a broker that has said so.
    #[must_use]
    pub fn lag(&self) -> Option<u64> {
        let table = self.read();
        let is_known = table.iter().any(|partition| partition.end.load(Ordering::Relaxed) > 0);
        is_known.then(|| table.iter().map(|partition| partition.lag()).sum())
    }

    /// The sums of all partitions.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for partition in self.read().iter() {
            totals.replayed += partition.replayed.load(Ordering::Relaxed);
            totals.received += partition.received.load(Ordering::Relaxed);
            totals.counted += partition.counted.load(Ordering::Relaxed);
            totals.late += partition.late.load(Ordering::Relaxed);
            totals.filtered += partition.filtered.load(Ordering::Relaxed);
            totals.bytes_read += partition.bytes_read.load(Ordering::Relaxed);
            for (sum, reason) in totals.rejected.iter_mut().zip(Reason::ALL) {
                *sum += partition.rejected(reason);
            }
        }
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advance(partitions: &Partitions, partition: u32, to_millis: i64) -> bool {
        let time = EventTime::from_millis(to_millis + 10_000).unwrap();
        let span = EventSpan { earliest: time, latest: time };
        partitions.advance(&partitions.get(PartitionId(partition)), Watermark::at(to_millis), Some(span))
    }

    #[test]
    fn the_slowest_partition_holds_the_watermark_only_while_another_is_ahead() {
        let partitions = Partitions::new(["a".to_owned(), "b".to_owned()]);
        assert!(partitions.holder().is_none());

        advance(&partitions, 0, 60_000);
        assert_eq!(partitions.holder().map(|holder| holder.id), Some(PartitionId(1)));

        advance(&partitions, 1, 120_000);
        assert_eq!(partitions.holder().map(|holder| holder.id), Some(PartitionId(0)));
        assert_eq!(partitions.job_watermark(), Watermark::at(60_000));
    }

    #[test]
    fn a_window_is_announced_once_by_whoever_makes_the_job_enter_it() {
        let partitions = Partitions::new(["a".to_owned(), "b".to_owned()]);
        assert!(!advance(&partitions, 0, 125_000));
        assert!(advance(&partitions, 1, 61_000));
        assert!(!advance(&partitions, 1, 62_000));
        assert!(partitions.finish(&partitions.get(PartitionId(1))));
        assert_eq!(partitions.job_watermark().first_open_window(), 2);
    }

    #[test]
    fn a_watermark_before_1970_opens_the_first_window() {
        assert_eq!(Watermark::at(-10_000).first_open_window(), 0);
        assert_eq!(Watermark::BEGINNING.first_open_window(), 0);
        assert!(!Watermark::at(59_999).closes(Window::from_ordinal(0)));
        assert!(Watermark::at(60_000).closes(Window::from_ordinal(0)));
    }
}
