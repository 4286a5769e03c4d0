//! What every worker knows of every input partition: the one table from which the job watermark, the
//! alignment, the metrics and the closing summary are taken.
//!
//! It lives outside of event time. Writers are the worker that reads a partition and the workers that count
//! its events, a few times per block of records; readers take what they see. Only the watermark's order matters: a
//! reader publishes it after it has sent the records below it.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use schemas::{EventTime, Reason, Window};

use crate::classify::EventSpan;
use crate::record::PartitionId;

/// Event time up to which a stream is complete, in milliseconds since the Unix epoch.
///
/// `BEGINNING` before the first event, `END` after the last. Unlike an [`EventTime`] it may lie
/// before 1970, as it trails the events by the out-of-orderness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// Records received.
    pub received: AtomicU64,
    /// Records that went into a count.
    pub counted: AtomicU64,
    /// Valid events of windows that were final.
    pub late: AtomicU64,
    /// Valid events whose type is not asked for.
    pub filtered: AtomicU64,
    rejected: [AtomicU64; Reason::ALL.len()],
    /// Bytes of input read; of a compressed file, as stored.
    pub bytes_read: AtomicU64,
    /// The next offset to be read (Kafka only).
    pub position: AtomicU64,
    /// The end of the partition, as the broker last said (Kafka only).
    pub end: AtomicU64,
}

impl Partition {
    fn new(id: PartitionId, source: String) -> Self {
        Partition {
            id,
            source,
            watermark: AtomicI64::new(Watermark::BEGINNING.0),
            is_finished: AtomicBool::new(false),
            received: AtomicU64::new(0),
            counted: AtomicU64::new(0),
            late: AtomicU64::new(0),
            filtered: AtomicU64::new(0),
            rejected: Default::default(),
            bytes_read: AtomicU64::new(0),
            position: AtomicU64::new(0),
            end: AtomicU64::new(0),
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

/// The table of partitions.
#[derive(Debug)]
pub struct Partitions {
    table: Vec<Partition>,
    /// The earliest event read from any partition, in milliseconds since the epoch.
    earliest_event: AtomicI64,
    /// The latest one.
    latest_event: AtomicI64,
    /// The first open window that was last told to the workers.
    announced_window: AtomicU64,
}

impl Partitions {
    /// A table with one partition for each source name, numbered in order.
    pub fn new(sources: impl IntoIterator<Item = String>) -> Self {
        Partitions {
            table: (0..).map(PartitionId).zip(sources).map(|(id, source)| Partition::new(id, source)).collect(),
            earliest_event: AtomicI64::new(i64::MAX),
            latest_event: AtomicI64::new(i64::MIN),
            announced_window: AtomicU64::new(0),
        }
    }

    /// The partition's entry.
    #[must_use]
    pub fn get(&self, PartitionId(id): PartitionId) -> &Partition {
        &self.table[id as usize]
    }

    /// All partitions, by number.
    pub fn iter(&self) -> impl Iterator<Item = &Partition> {
        self.table.iter()
    }

    /// How many partitions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The job watermark: up to where every partition is complete.
    #[must_use]
    pub fn job_watermark(&self) -> Watermark {
        self.table.iter().map(Partition::watermark).min().unwrap_or(Watermark::END)
    }

    /// The partition that holds the job watermark back: the slowest, if any other is ahead of it.
    #[must_use]
    pub fn holder(&self) -> Option<&Partition> {
        let slowest = self.table.iter().min_by_key(|partition| partition.watermark())?;
        self.table.iter().any(|partition| partition.watermark() > slowest.watermark()).then_some(slowest)
    }

    /// Publishes how far a partition is complete and which times its events have, after what lies below was sent.
    ///
    /// Returns whether the job watermark entered a window that no worker was told of: then they must be woken.
    pub fn advance(&self, id: PartitionId, to: Watermark, span: EventSpan) -> bool {
        self.earliest_event.fetch_min(span.earliest.millis(), Ordering::AcqRel);
        self.latest_event.fetch_max(span.latest.millis(), Ordering::AcqRel);
        self.get(id).watermark.fetch_max(to.0, Ordering::AcqRel);
        self.announces_window()
    }

    /// Takes note that a partition has been read to its end; returns what [`advance`](Self::advance) does.
    pub fn finish(&self, id: PartitionId) -> bool {
        self.get(id).is_finished.store(true, Ordering::Release);
        self.announces_window()
    }

    fn announces_window(&self) -> bool {
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
        let slowest = self.table.iter().map(Partition::watermark).map(|watermark| watermark.max(earliest)).min();
        slowest.unwrap_or(Watermark::END).plus(max_skew_millis)
    }

    /// Records that the broker has beyond those read, where there is a broker that has said so.
    #[must_use]
    pub fn lag(&self) -> Option<u64> {
        let is_known = self.table.iter().any(|partition| partition.end.load(Ordering::Relaxed) > 0);
        is_known.then(|| self.table.iter().map(Partition::lag).sum())
    }

    /// The sums of all partitions.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for partition in &self.table {
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

    fn span(millis: i64) -> EventSpan {
        let time = EventTime::from_millis(millis).unwrap();
        EventSpan { earliest: time, latest: time }
    }

    #[test]
    fn the_slowest_partition_holds_the_watermark_only_while_another_is_ahead() {
        let partitions = Partitions::new(["a".to_owned(), "b".to_owned()]);
        assert!(partitions.holder().is_none());

        partitions.advance(PartitionId(0), Watermark::at(60_000), span(70_000));
        assert_eq!(partitions.holder().map(|holder| holder.id), Some(PartitionId(1)));

        partitions.advance(PartitionId(1), Watermark::at(120_000), span(130_000));
        assert_eq!(partitions.holder().map(|holder| holder.id), Some(PartitionId(0)));
        assert_eq!(partitions.job_watermark(), Watermark::at(60_000));
    }

    #[test]
    fn a_window_is_announced_once_by_whoever_makes_the_job_enter_it() {
        let partitions = Partitions::new(["a".to_owned(), "b".to_owned()]);
        assert!(!partitions.advance(PartitionId(0), Watermark::at(125_000), span(135_000)));
        assert!(partitions.advance(PartitionId(1), Watermark::at(61_000), span(71_000)));
        assert!(!partitions.advance(PartitionId(1), Watermark::at(62_000), span(72_000)));
        assert!(partitions.finish(PartitionId(1)));
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
