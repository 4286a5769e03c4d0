//! What every worker knows of every input partition: the one table from which the job watermark, the
//! alignment, the metrics and the closing summary are taken.
//!
//! It lives outside of event time. Writers are the worker that reads a partition and the workers that count
//! its events, a few times per block of records; readers take what they see. Only the watermark's order matters: a
//! reader publishes it after it has sent the records below it.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use schemas::{EventTime, Reason, Window};
use serde::{Deserialize, Serialize};

use crate::classify::EventSpan;
use crate::clock;
use crate::duration::millis;
use crate::record::PartitionId;

/// Event time up to which a stream is complete, in milliseconds since the Unix epoch.
///
/// `BEGINNING` before the first event, `END` after the last. Unlike an [`EventTime`] it may lie
/// before 1970, as it trails the events by the out-of-orderness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Watermark(i64);

impl Watermark {
    /// Nothing is known to be complete.
    pub const BEGINNING: Watermark = Watermark(i64::MIN);
    /// Everything is complete: no further event comes.
    pub const END: Watermark = Watermark(i64::MAX);

    /// Complete up to `millis` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn at(millis: i64) -> Self {
        Watermark(millis)
    }

    /// Milliseconds since the Unix epoch, unless it is `BEGINNING` or `END`.
    #[must_use]
    pub fn millis(self) -> Option<i64> {
        (self != Self::BEGINNING && self != Self::END).then_some(self.0)
    }

    /// Milliseconds since the Unix epoch, whatever it is.
    #[must_use]
    pub const fn raw_millis(self) -> i64 {
        self.0
    }

    /// Whether the window's last event is known to have come.
    #[must_use]
    pub const fn closes(self, window: Window) -> bool {
        window.end_millis() <= self.0
    }

    /// By how much it has passed the end of a window that it closes, in milliseconds.
    #[must_use]
    pub const fn passed(self, window: Window) -> u64 {
        self.0.saturating_sub(window.end_millis()).unsigned_abs()
    }

    /// The ordinal of the first window that is still open: the dataflow's timestamp for this watermark.
    #[must_use]
    pub const fn first_open_window(self) -> u64 {
        if self.0 <= 0 { 0 } else { (self.0 / Window::MILLIS).unsigned_abs() }
    }

    /// This watermark, `duration_millis` later.
    #[must_use]
    pub const fn plus(self, duration_millis: i64) -> Self {
        Watermark(self.0.saturating_add(duration_millis))
    }
}

impl fmt::Display for Watermark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (*self, EventTime::from_millis(self.0)) {
            (Watermark::END, _) => f.write_str("end"),
            (_, Ok(time)) => time.fmt(f),
            (_, Err(_)) => f.write_str("none yet"),
        }
    }
}

/// What is known of one partition.
#[derive(Debug)]
pub struct Partition {
    /// Its number.
    pub id: PartitionId,
    /// The topic, the file's path, or `-` for standard input.
    pub source: String,
    watermark: AtomicI64,
    is_finished: AtomicBool,
    is_idle: AtomicBool,
    /// Whether it has been read as far as it had been read, and written, before the job started.
    is_replayed: AtomicBool,
    /// Records received.
    pub received: AtomicU64,
    /// Records that went into a count.
    pub counted: AtomicU64,
    /// Valid events of windows that were final.
    pub late: AtomicU64,
    /// Valid events whose type is not asked for.
    pub filtered: AtomicU64,
    rejected: [AtomicU64; Reason::ALL.len()],
    /// Records read again after a restart, which are not received a second time.
    pub replayed: AtomicU64,
    /// Bytes of input read; of a compressed file, as stored.
    pub bytes_read: AtomicU64,
    /// The next offset to be read (Kafka only).
    pub position: AtomicU64,
    /// The end of the partition, as the broker last said (Kafka only).
    pub end: AtomicU64,
    /// The end of the partition when the job started (Kafka only).
    pub end_at_start: AtomicU64,
    proof: Proof,
}

/// That a partition has nothing to read: only a broker that was asked can say so.
#[derive(Debug, Default)]
struct Proof {
    is_wanted: AtomicBool,
    /// The end that the broker named.
    end: AtomicU64,
    /// When it was asked, in milliseconds since the Unix epoch; written after the end.
    asked_millis: AtomicI64,
}

impl Partition {
    fn new(id: PartitionId, source: String) -> Self {
        Partition {
            id,
            source,
            watermark: AtomicI64::new(Watermark::BEGINNING.0),
            is_finished: AtomicBool::new(false),
            is_idle: AtomicBool::new(false),
            is_replayed: AtomicBool::new(false),
            received: AtomicU64::new(0),
            counted: AtomicU64::new(0),
            late: AtomicU64::new(0),
            filtered: AtomicU64::new(0),
            rejected: Default::default(),
            replayed: AtomicU64::new(0),
            bytes_read: AtomicU64::new(0),
            position: AtomicU64::new(0),
            end: AtomicU64::new(0),
            end_at_start: AtomicU64::new(0),
            proof: Proof::default(),
        }
    }

    /// Up to where the partition's events are complete; `END` once it has been read to its end.
    #[must_use]
    pub fn watermark(&self) -> Watermark {
        if self.is_finished() { Watermark::END } else { self.event_watermark() }
    }

    /// The watermark that its events have made, whether or not it has ended since.
    #[must_use]
    pub fn event_watermark(&self) -> Watermark {
        Watermark(self.watermark.load(Ordering::Acquire))
    }

    /// Whether it is known to have nothing to read, and holds no watermark back.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.is_idle.load(Ordering::Acquire)
    }

    /// Takes it out of the job watermark, or back into it.
    pub fn set_idle(&self, is_idle: bool) {
        self.is_idle.store(is_idle, Ordering::Release);
    }

    /// Notes that all that was read before the job started has been read again.
    pub fn set_replayed(&self) {
        self.is_replayed.store(true, Ordering::Release);
    }

    /// Whether it has been read as far as it reached when the job started.
    #[must_use]
    pub fn has_caught_up(&self) -> bool {
        let end = self.end_at_start.load(Ordering::Relaxed);
        self.is_replayed.load(Ordering::Acquire) && self.position.load(Ordering::Relaxed) >= end
    }

    /// Asks whoever talks to the broker for the partition's end.
    pub fn want_proof(&self) {
        self.proof.is_wanted.store(true, Ordering::Release);
    }

    /// Whether somebody wants to know the partition's end.
    #[must_use]
    pub fn wants_proof(&self) -> bool {
        self.proof.is_wanted.load(Ordering::Acquire)
    }

    /// The broker, asked at `asked_millis`, has said where the partition ends.
    pub fn prove(&self, end: u64, asked_millis: i64) {
        self.end.fetch_max(end, Ordering::Relaxed);
        self.proof.end.store(end, Ordering::Relaxed);
        self.proof.asked_millis.store(asked_millis, Ordering::Release);
        self.proof.is_wanted.store(false, Ordering::Release);
    }

    /// Whether the broker, asked at `since_millis` or later, has said that nothing lies at or beyond `position`.
    #[must_use]
    pub fn is_proven_empty(&self, position: u64, since_millis: i64) -> bool {
        let asked = self.proof.asked_millis.load(Ordering::Acquire);
        asked >= since_millis && asked > 0 && self.proof.end.load(Ordering::Relaxed) <= position
    }

    /// Whether it has been read to its end.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.is_finished.load(Ordering::Acquire)
    }

    /// Counts `records` as rejected for `reason`.
    pub fn add_rejected(&self, reason: Reason, records: u64) {
        self.rejected[reason as usize].fetch_add(records, Ordering::Relaxed);
    }

    /// Records rejected for `reason`.
    #[must_use]
    pub fn rejected(&self, reason: Reason) -> u64 {
        self.rejected[reason as usize].load(Ordering::Relaxed)
    }

    /// Records that the broker has beyond those read.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.end.load(Ordering::Relaxed).saturating_sub(self.position.load(Ordering::Relaxed))
    }
}

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

/// Sums over all partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records received.
    pub received: u64,
    /// Records that went into a count.
    pub counted: u64,
    /// Valid events of windows that were final.
    pub late: u64,
    /// Records that are no valid events, by reason in the order of [`Reason::ALL`].
    pub rejected: [u64; Reason::ALL.len()],
    /// Valid events whose type is not asked for.
    pub filtered: u64,
    /// Records read again after a restart; not among those received.
    pub replayed: u64,
    /// Bytes of input read, as stored.
    pub bytes_read: u64,
}

impl Totals {
    /// Records that are no valid events.
    #[must_use]
    pub fn all_rejected(&self) -> u64 {
        self.rejected.iter().sum()
    }

    /// Whether every record received was counted, late, rejected or filtered, and none was twice.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.received == self.counted + self.late + self.all_rejected() + self.filtered
    }
}

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
