//! One partition: how far it is, and what became of its records.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use schemas::Reason;

use super::Watermark;
use crate::record::PartitionId;

/// What is known of one partition.
#[derive(Debug)]
pub struct Partition {
    /// Its number.
    pub id: PartitionId,
    /// The topic, the file's path, or `-` for standard input.
    pub source: String,
    pub(super) watermark: AtomicI64,
    pub(super) is_finished: AtomicBool,
    pub(super) is_idle: AtomicBool,
    /// Whether it has been read as far as it had been read, and written, before the job started.
    pub(super) is_replayed: AtomicBool,
    /// Records received.
    pub received: AtomicU64,
    /// Records that went into a count.
    pub counted: AtomicU64,
    /// Valid events of windows that were final.
    pub late: AtomicU64,
    /// Valid events whose type is not asked for.
    pub filtered: AtomicU64,
    pub(super) rejected: [AtomicU64; Reason::ALL.len()],
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
    pub(super) fn new(id: PartitionId, source: String) -> Self {
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
