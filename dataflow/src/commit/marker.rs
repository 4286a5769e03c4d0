//! How far a partition is: what its reader tells the committer, behind the records that it has sent.
//!
//! A marker travels in the stream of late and rejected records. What a reader forwarded before it took the marker lies
//! before the marker, so whoever has the marker has them too. And a reader sends markers before it lets time pass beyond
//! a window: when the frontier has passed the window, the committer has, of every partition, a marker that was taken
//! when the partition was known to have nothing more for this window.

use std::collections::BTreeMap;

use schemas::Window;
use serde::{Deserialize, Serialize};

use super::record::{Join, RecordTotals};
use crate::partitions::Watermark;
use crate::record::{Offset, PartitionId};

/// The state of a partition between two records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The partition.
    pub partition: PartitionId,
    /// The next offset to be read.
    pub position: Offset,
    /// The watermark that the events before the position have made.
    pub watermark: Watermark,
    /// For each window that may still change, where its first event lies, and the watermark before that.
    pub firsts: Vec<(Window, FirstEvent)>,
    /// See [`Trail::joins`].
    pub joins: Vec<Join>,
    /// When the last valid record was read, in milliseconds since the Unix epoch.
    pub seen_millis: i64,
    /// Whether the partition is known to have nothing to read.
    pub is_idle: bool,
    /// What became of the records before the position.
    pub totals: RecordTotals,
}

/// Where a partition's first event of a window lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstEvent {
    /// Its offset.
    pub offset: Offset,
    /// The partition's watermark just before it.
    pub watermark: Watermark,
}

impl Marker {
    /// Where a restart has to begin so that it sees every event of the windows that are not durable, and the watermark
    /// there. `first_needed` is the first window whose events are needed.
    #[must_use]
    pub fn resume_at(&self, first_needed: Window) -> FirstEvent {
        let needed = self.firsts.iter().filter(|(window, _)| *window >= first_needed).map(|(_, first)| *first);
        let here = FirstEvent { offset: self.position, watermark: self.watermark };
        needed.min_by_key(|first| first.offset).unwrap_or(here)
    }

    /// About how much memory it takes, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        size_of::<Self>() + self.firsts.len() * size_of::<(Window, FirstEvent)>() + self.joins.len() * size_of::<Join>()
    }

    /// The joins that a restart from `offset` meets, after the one that holds there.
    #[must_use]
    pub fn joins_from(&self, offset: Offset) -> Vec<Join> {
        let before = self.joins.iter().rposition(|join| join.offset < offset).unwrap_or(0);
        self.joins[before..].to_vec()
    }
}

/// What a reader remembers of the records that a restart would have to read again.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    firsts: BTreeMap<Window, FirstEvent>,
    joins: Vec<Join>,
    /// Neighbours nearly always share their window.
    last: Option<Window>,
}

impl Trail {
    /// With the joins that a resume record knows.
    #[must_use]
    pub fn new(joins: Vec<Join>) -> Self {
        Trail { joins, ..Trail::default() }
    }

    /// An event of `window` lies at `offset`; `watermark` is the partition's before it.
    #[inline]
    pub fn note(&mut self, window: Window, offset: Offset, watermark: Watermark) {
        if self.last != Some(window) {
            self.firsts.entry(window).or_insert(FirstEvent { offset, watermark });
            self.last = Some(window);
        }
    }

    /// The partition joins. What an earlier join has made late stays late, as a restart may know the last one alone. Where
    /// nothing was read since that one, the two are one: a partition without records joins at every start.
    pub fn join(&mut self, mut join: Join) {
        if let Some(last) = self.joins.last() {
            join.watermark = join.watermark.max(last.watermark);
        }
        self.joins.pop_if(|last| last.offset == join.offset);
        self.joins.push(join);
    }

    /// The joins at or above the offset from which a restart would read, and the last one below it.
    #[must_use]
    pub fn joins(&self) -> &[Join] {
        &self.joins
    }

    /// Forgets windows before `first_needed`: a restart needs no event of them. `position` is where the reader is.
    pub fn forget_before(&mut self, first_needed: Window, position: Offset) {
        if self.firsts.first_key_value().is_some_and(|(window, _)| *window < first_needed) {
            self.firsts = self.firsts.split_off(&first_needed);
            self.last = None;
        }
        let resume_at = self.firsts.values().map(|first| first.offset).min().unwrap_or(position);
        let before = self.joins.iter().rposition(|join| join.offset < resume_at).unwrap_or(0);
        self.joins.drain(..before);
    }

    /// The first events, by window.
    #[must_use]
    pub fn firsts(&self) -> Vec<(Window, FirstEvent)> {
        self.firsts.iter().map(|(window, first)| (*window, *first)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(offset: u64) -> FirstEvent {
        FirstEvent { offset: Offset(offset), watermark: Watermark::at(i64::try_from(offset).unwrap_or(0)) }
    }

    fn window(ordinal: u32) -> Window {
        Window::from_ordinal(ordinal)
    }

    #[test]
    fn a_restart_begins_at_the_smallest_offset_of_any_window_that_is_needed() {
        let mut trail = Trail::default();
        for (ordinal, offset) in [(7, 10), (8, 12), (7, 13), (6, 14), (8, 15), (9, 16)] {
            trail.note(window(ordinal), Offset(offset), first(offset).watermark);
        }
        let mut marker = Marker {
            partition: PartitionId(0),
            position: Offset(20),
            watermark: Watermark::at(99),
            firsts: trail.firsts(),
            joins: Vec::new(),
            seen_millis: 0,
            is_idle: false,
            totals: RecordTotals::default(),
        };
        assert_eq!(marker.resume_at(window(6)), first(10));
        assert_eq!(marker.resume_at(window(8)), first(12));
        assert_eq!(marker.resume_at(window(9)), first(16));
        let here = FirstEvent { offset: Offset(20), watermark: Watermark::at(99) };
        assert_eq!(marker.resume_at(window(10)), here);

        trail.forget_before(window(8), Offset(20));
        marker.firsts = trail.firsts();
        assert_eq!(marker.resume_at(window(0)), first(12));
        // An event of a window that was forgotten is the first one again: it is needed if it comes back.
        trail.note(window(8), Offset(21), Watermark::at(99));
        assert_eq!(trail.firsts(), marker.firsts);
    }

    #[test]
    fn joins_at_one_offset_are_one_join_however_often_a_quiet_partition_is_started_again() {
        let mut trail = Trail::default();
        for watermark in 0..100 {
            trail.join(Join { offset: Offset(3), watermark: Watermark::at(watermark) });
            trail.forget_before(window(1), Offset(3));
        }
        assert_eq!(trail.joins(), [Join { offset: Offset(3), watermark: Watermark::at(99) }]);
    }

    #[test]
    fn the_last_join_below_the_resume_offset_is_kept_and_earlier_ones_are_not() {
        let join = |offset| Join { offset: Offset(offset), watermark: Watermark::at(0) };
        let mut trail = Trail::new(vec![join(1), join(5), join(9)]);
        trail.note(window(3), Offset(7), Watermark::at(0));
        trail.forget_before(window(3), Offset(8));
        assert_eq!(trail.joins(), [join(5), join(9)]);
        trail.forget_before(window(4), Offset(9));
        assert_eq!(trail.joins(), [join(5), join(9)]);
        trail.forget_before(window(4), Offset(10));
        assert_eq!(trail.joins(), [join(9)]);
    }
}
