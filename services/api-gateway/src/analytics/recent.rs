//! Counts of the last half hour, as the results topic has them: what the thread that reads it writes, and requests and
//! streams read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Instant;

use schemas::{TopicRow, Window};
use service_kit::Problem;

use super::interest::{Bell, Interest};
use super::memory::{Memory, Row};
use super::place::Place;

/// Where the rows of the last minutes meet those who ask for them.
#[derive(Debug, Default)]
pub(super) struct Recent {
    memory: RwLock<Memory>,
    /// Whether all rows that were there at the start have been read.
    has_caught_up: AtomicBool,
    /// Whether rows come.
    is_connected: AtomicBool,
    interest: Arc<Interest>,
}

/// A record of the topic.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) partition: usize,
    pub(super) offset: u64,
    /// `None` for what is no row.
    pub(super) row: Option<TopicRow>,
}

/// Rows after a place.
#[derive(Debug)]
pub(super) struct Unread {
    pub(super) rows: Vec<Arc<Row>>,
    /// The place behind all of them, where there are no more.
    pub(super) end: Option<Place>,
    /// See [`Memory::gaps`].
    pub(super) gaps: u64,
}

/// Where a stream begins.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) place: Place,
    pub(super) gaps: u64,
    /// Whether it goes on from the place that was asked for.
    pub(super) is_resumed: bool,
}

impl Recent {
    /// What is remembered.
    pub(super) fn memory(&self) -> RwLockReadGuard<'_, Memory> {
        self.memory.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes something down; nobody reads meanwhile.
    pub(super) fn write<T>(&self, change: impl FnOnce(&mut Memory) -> T) -> T {
        change(&mut self.memory.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes records, and wakes whoever waits for their rows.
    pub(super) fn take(&self, records: Vec<Record>) {
        if records.is_empty() {
            return;
        }
        let now = Instant::now();
        let news: Vec<_> = self.write(|memory| {
            let take = |Record { partition, offset, row }| memory.take(partition, offset, row, now);
            records.into_iter().filter_map(take).collect()
        });
        self.interest.ring(&news);
    }

    /// Rows come from now on, or no longer.
    pub(super) fn set_connected(&self, is_connected: bool) {
        self.is_connected.store(is_connected, Ordering::Relaxed);
    }

    /// All rows that were there at the start have been read.
    pub(super) fn set_caught_up(&self) {
        if !self.has_caught_up.swap(true, Ordering::Release) {
            self.interest.ring_all();
        }
    }

    /// Whether rows come, and none of the last half hour is missing.
    pub(super) fn is_live(&self) -> bool {
        self.is_connected.load(Ordering::Relaxed) && self.has_caught_up()
    }

    fn has_caught_up(&self) -> bool {
        self.has_caught_up.load(Ordering::Acquire)
    }

    /// Goes on where the topic has been read once, also while it is not being read.
    ///
    /// # Errors
    /// 503 where it has not.
    pub(super) fn check_caught_up(&self) -> Result<(), Problem> {
        if self.has_caught_up() { Ok(()) } else { Err(not_read()) }
    }

    /// Goes on while rows come.
    ///
    /// # Errors
    /// 503 where they do not.
    pub(super) fn check_live(&self) -> Result<(), Problem> {
        if self.is_live() { Ok(()) } else { Err(not_read()) }
    }

    /// A product's rows from `first` to `last`.
    pub(super) fn rows(&self, product_id: &str, first: Window, last: Window) -> Vec<TopicRow> {
        self.memory().of_product(product_id, first, last).map(|row| row.row.clone()).collect()
    }

    /// Rings when there may be rows of this product, or of any.
    pub(super) fn bell(&self, product_id: Option<String>) -> Bell {
        self.interest.bell(product_id)
    }

    /// Where a stream begins that wants to go on from `after`, if that is known; `None` before the topic has been read.
    pub(super) fn begin(&self, after: Option<Place>, product_id: Option<&str>) -> Option<Beginning> {
        if !self.has_caught_up() {
            return None;
        }
        let memory = self.memory();
        let after = after.filter(|place| memory.has_all_after(place));
        let is_resumed = after.is_some();
        let place = after.unwrap_or_else(|| memory.before_open_minutes(product_id));
        Some(Beginning { place, gaps: memory.gaps(), is_resumed })
    }

    /// Up to `limit` rows after the place, or those of one product, which are few.
    pub(super) fn unread(&self, place: &Place, product_id: Option<&str>, turn: usize, limit: usize) -> Unread {
        let memory = self.memory();
        let rows = match product_id {
            Some(product_id) => memory.of_product_after(product_id, place),
            None => memory.after(place, turn, limit),
        };
        let end = (product_id.is_some() || rows.len() < limit).then(|| memory.next());
        Unread { rows, end, gaps: memory.gaps() }
    }

    /// Whether rows come, and yet none has come from as far as this place: it is of another topic, or made up.
    pub(super) fn does_not_know(&self, place: &Place) -> bool {
        self.is_live() && self.memory().is_behind(place)
    }
}

fn not_read() -> Problem {
    Problem::unavailable("Kafka", "the results topic is not being read")
}
