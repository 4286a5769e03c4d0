//! Time: which events are late, and up to where a partition is complete.

use std::time::Duration;

use schemas::{EventTime, EventView, Reason, Window};

use crate::clock;
use crate::distinct::Time;
use crate::duration::millis;
use crate::partitions::Watermark;

/// What the rules of time and type depend on.
#[derive(Clone, Debug)]
pub struct Rules {
    /// By how much events of a partition may be out of order before they are late.
    pub out_of_orderness: Duration,
    /// How far an event may be dated after its record, or, where records have no time, after the clock; `None`: any
    /// distance.
    pub max_future_skew: Option<Duration>,
    /// How long after its close a window still takes events.
    pub allowed_lateness: Duration,
    /// The event types to be counted; empty: all.
    pub event_types: Vec<String>,
}

impl Rules {
    /// How many windows after its own time an event may change a row, at the most.
    #[must_use]
    pub fn horizon_windows(&self) -> Time {
        millis(self.allowed_lateness).unsigned_abs().div_ceil(Window::MILLIS.unsigned_abs())
    }
}

/// The verdict on a decoded event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// It counts.
    OnTime {
        /// In this window.
        window: Window,
        /// When it changes the window's row: at the window's close, or, where the partition has closed the window
        /// already, when the partition's present window closes.
        takes_effect: Time,
    },
    /// Its window was final: it is kept, not counted.
    Late {
        /// By how much the watermark had passed the window's end, in milliseconds.
        lateness_millis: u64,
    },
    /// Its type is not asked for.
    Filtered,
    /// It is no valid event after all.
    Rejected(Reason),
}

/// The times of the earliest and the latest event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventSpan {
    /// The earliest event.
    pub earliest: EventTime,
    /// The latest event.
    pub latest: EventTime,
}

impl EventSpan {
    const fn of(time: EventTime) -> Self {
        EventSpan { earliest: time, latest: time }
    }

    fn with(self, time: EventTime) -> Self {
        EventSpan { earliest: self.earliest.min(time), latest: self.latest.max(time) }
    }
}

/// The state of one partition: its verdicts depend on the partition's own records, in their order, and on nothing else.
#[derive(Debug)]
pub struct Classifier {
    out_of_orderness_millis: i64,
    max_future_skew_millis: Option<i64>,
    allowed_lateness_millis: i64,
    event_types: Vec<String>,
    watermark: Watermark,
    floor: Watermark,
    span: Option<EventSpan>,
    usual: Usual,
}

/// Which events, as nearly all, are in the window of the one that was judged closely last, and change nothing here.
#[derive(Clone, Copy, Debug, Default)]
struct Usual {
    /// Event times of one open window that neither move the watermark nor widen the span; `start..end`, in milliseconds
    /// since the Unix epoch.
    start: i64,
    end: i64,
    window: Window,
}

impl Classifier {
    /// Before the partition's first record.
    #[must_use]
    pub fn new(rules: &Rules) -> Self {
        Self::at(rules, Watermark::BEGINNING)
    }

    /// Where the partition's watermark is known.
    #[must_use]
    pub fn at(rules: &Rules, watermark: Watermark) -> Self {
        Classifier {
            out_of_orderness_millis: millis(rules.out_of_orderness),
            max_future_skew_millis: rules.max_future_skew.map(millis),
            allowed_lateness_millis: millis(rules.allowed_lateness),
            event_types: rules.event_types.clone(),
            watermark,
            floor: Watermark::BEGINNING,
            span: None,
            usual: Usual::default(),
        }
    }

    /// Judges the partition's next valid event; `record_time` is the time that the broker gave the record.
    ///
    /// Order of judgement: future (rejected), filtered, late, on time. Whatever is not rejected moves the watermark.
    #[inline]
    pub fn judge(&mut self, event: &EventView<'_>, record_time: Option<i64>) -> Timing {
        let Usual { start, end, window } = self.usual;
        let event_millis = event.timestamp.millis();
        let is_of_the_past = |skew: i64| record_time.is_some_and(|now| event_millis <= now.saturating_add(skew));
        if (start..end).contains(&event_millis) && self.max_future_skew_millis.is_none_or(is_of_the_past) {
            return Timing::OnTime { window, takes_effect: Time::from(window.ordinal()) };
        }
        self.judge_closely(event, record_time)
    }

    fn judge_closely(&mut self, event: &EventView<'_>, record_time: Option<i64>) -> Timing {
        let event_millis = event.timestamp.millis();
        if let Some(max_skew) = self.max_future_skew_millis {
            let now = record_time.unwrap_or_else(clock::now_millis);
            if event_millis > now.saturating_add(max_skew) {
                return Timing::Rejected(Reason::Future);
            }
        }
        let timing = self.judge_window(event);
        // An event that is ahead of its record's time must not drag the watermark with it.
        let complete = event_millis.min(record_time.unwrap_or(i64::MAX)) - self.out_of_orderness_millis;
        self.watermark = self.watermark.max(Watermark::at(complete));
        let span = self.span.map_or(EventSpan::of(event.timestamp), |span| span.with(event.timestamp));
        self.span = Some(span);
        self.usual = self.usual_in(Window::of(event.timestamp), span);
        timing
    }

    /// The usual events of a window from now on, until the watermark or the floor moves.
    fn usual_in(&self, window: Window, span: EventSpan) -> Usual {
        if !self.event_types.is_empty() || self.complete_through().closes(window) {
            return Usual::default();
        }
        // An event that is no later than the one that made the watermark does not move it, whatever its record's time;
        // and the latest event of the span is at least as late as that one.
        let latest = self.watermark.plus(self.out_of_orderness_millis).raw_millis();
        let (start, end) = (window.start_millis(), window.end_millis());
        Usual { start: start.max(span.earliest.millis()), end: end.min(latest.saturating_add(1)), window }
    }

    fn judge_window(&self, event: &EventView<'_>) -> Timing {
        if !self.event_types.is_empty() && !self.event_types.iter().any(|wanted| wanted.as_bytes() == event.event_type)
        {
            return Timing::Filtered;
        }
        let window = Window::of(event.timestamp);
        let complete = self.complete_through();
        if complete.plus(-self.allowed_lateness_millis).closes(window) {
            return Timing::Late { lateness_millis: complete.passed(window) };
        }
        // Every partition is complete up to the job watermark at least: this time is still to come on all workers.
        let takes_effect = Time::from(window.ordinal()).max(complete.first_open_window());
        Timing::OnTime { window, takes_effect }
    }

    /// From here on, what `watermark` closes is late.
    pub fn raise_floor(&mut self, watermark: Watermark) {
        self.floor = self.floor.max(watermark);
        self.usual = Usual::default();
    }

    /// Up to where the partition is complete, by its own events or because the job was further when it joined.
    #[must_use]
    pub fn complete_through(&self) -> Watermark {
        self.watermark.max(self.floor)
    }

    /// Up to where its own events are complete: the latest event (at most its record's time) less the out-of-orderness.
    #[must_use]
    pub const fn watermark(&self) -> Watermark {
        self.watermark
    }

    /// The times of the earliest and the latest valid event; none before the first.
    #[must_use]
    pub const fn span(&self) -> Option<EventSpan> {
        self.span
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_usual_is_judged_as_closely_as_anything_else(
            events in prop::collection::vec((0..300_000_i64, 0..300_000_i64, 0..40_u8), 1..200),
            lateness in 0..3_i64,
            has_record_times: bool,
            has_skew: bool,
        ) {
            let rules = Rules {
                out_of_orderness: Duration::from_secs(10),
                max_future_skew: has_skew.then_some(Duration::from_secs(40)),
                allowed_lateness: Duration::from_secs(lateness.unsigned_abs() * 45),
                event_types: Vec::new(),
            };
            let (mut quick, mut close) = (Classifier::new(&rules), Classifier::new(&rules));
            let mut now = 0;
            for (event, record, step) in events {
                // Time passes, slowly enough that many events share a window.
                now += i64::from(step) * 100;
                let timestamp = EventTime::from_millis((now + event % 30_000).max(0)).unwrap();
                let event = EventView { user_id: b"u", product_id: b"p", event_type: b"t", timestamp };
                let record_time = has_record_times.then_some(now + record % 60_000 - 20_000);
                if has_skew && record_time.is_none() {
                    // Against the clock, which is not the same for both.
                    continue;
                }
                prop_assert_eq!(quick.judge(&event, record_time), close.judge_closely(&event, record_time));
                prop_assert_eq!((quick.watermark(), quick.span()), (close.watermark(), close.span()));
                if step == 7 {
                    let floor = Watermark::at(now + 5_000);
                    quick.raise_floor(floor);
                    close.raise_floor(floor);
                }
            }
        }
    }
}
