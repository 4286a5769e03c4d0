//! A partition's way from where it resumes to where it had been, and what it must remember for the next time.

use std::collections::VecDeque;

use schemas::Window;

use crate::classify::Classifier;
use crate::commit::begin::Begin;
use crate::commit::marker::Trail;
use crate::commit::record::Join;
use crate::partitions::Watermark;
use crate::record::Offset;

/// Where a record lies: below the position that the partition had reached, or beyond.
pub(super) struct Resumption {
    position: Offset,
    /// What was closed when the job started.
    closed_through: Watermark,
    /// The joins that are still to come while records are replayed.
    upcoming: VecDeque<Join>,
    is_replaying: bool,
    trail: Trail,
}

impl Resumption {
    pub(super) fn new(begin: &Begin, closed_through: Watermark) -> Self {
        Resumption {
            position: begin.position,
            closed_through,
            upcoming: begin.joins.iter().copied().collect(),
            is_replaying: true,
            trail: Trail::new(begin.joins.clone()),
        }
    }

    /// Whether records are read that were read before.
    pub(super) const fn is_replaying(&self) -> bool {
        self.is_replaying
    }

    /// Up to where the partition may let the job believe that it is complete. While it replays, nothing may close that
    /// was open: its position stands for records that it has not read again.
    pub(super) fn limit(&self, watermark: Watermark) -> Watermark {
        if self.is_replaying { watermark.min(self.closed_through) } else { watermark }
    }

    /// Before the record at `offset` is judged; returns whether it was received before.
    #[inline]
    pub(super) fn pass(&mut self, offset: Offset, classifier: &mut Classifier) -> bool {
        // Beyond the position there are no joins to come: a partition joins where it has been read to.
        self.is_replaying && self.pass_again(offset, classifier)
    }

    fn pass_again(&mut self, offset: Offset, classifier: &mut Classifier) -> bool {
        while let Some(join) = self.upcoming.pop_front_if(|join| join.offset <= offset) {
            classifier.raise_floor(join.watermark);
        }
        if offset >= self.position {
            self.arrive(classifier);
        }
        self.is_replaying
    }

    /// All that lies below `position` has been read.
    pub(super) fn reach(&mut self, position: Offset, classifier: &mut Classifier) {
        if self.is_replaying && position >= self.position {
            self.pass(position, classifier);
        }
    }

    /// From here on records are new: what the job had closed is late.
    fn arrive(&mut self, classifier: &mut Classifier) {
        self.is_replaying = false;
        if self.closed_through > classifier.complete_through() {
            self.join(Join { offset: self.position, watermark: self.closed_through }, classifier);
        }
    }

    /// The partition was out of the job watermark, and comes back.
    pub(super) fn join(&mut self, join: Join, classifier: &mut Classifier) {
        classifier.raise_floor(join.watermark);
        self.trail.join(join);
    }

    /// An event counts in `window`; `watermark` is the partition's own before it.
    #[inline]
    pub(super) fn note(&mut self, window: Window, offset: Offset, watermark: Watermark) {
        self.trail.note(window, offset, watermark);
    }

    pub(super) const fn trail_mut(&mut self) -> &mut Trail {
        &mut self.trail
    }
}
