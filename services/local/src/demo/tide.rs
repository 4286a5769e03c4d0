//! Which events the job counts, as far as a sender can know it: bounds of each partition's watermark.
//!
//! A partition's watermark is the latest event time in it less the out-of-orderness (`docs/concepts/time.md`). What was
//! acknowledged is in the partition, so the watermark is at least that. And no event counts as later than its record, so it
//! is at most the clock. Between the two nothing is claimed.

use std::time::Duration;

use dataflow::classify::Rules;
use schemas::{EventTime, Window};

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Counted,
    Late,
    /// It depends on what others have sent meanwhile, or on whether it has arrived.
    Unknown,
}

/// What is in each partition for certain.
#[derive(Clone, Debug)]
pub(super) struct Tide {
    rules: Rules,
    /// The latest event time that was acknowledged, in milliseconds.
    latest: Vec<Option<i64>>,
}

impl Tide {
    pub(super) fn new(rules: &Rules, partitions: u32) -> Self {
        Tide { rules: rules.clone(), latest: vec![None; partitions as usize] }
    }

    /// How far the job is behind the clock when it closes a minute, at the least.
    pub(super) fn closing_delay(&self) -> Duration {
        self.rules.out_of_orderness + self.rules.allowed_lateness
    }

    /// The fate of an event that was acknowledged at a time; to be asked before its request is [noted](Self::note).
    pub(super) fn fate(&self, time: EventTime, partition: u32, acknowledged: EventTime) -> Fate {
        let end = Window::of(time).end_millis();
        let closed_at = end + millis(self.closing_delay());
        if closed_at > acknowledged.millis() {
            return Fate::Counted;
        }
        match self.latest.get(partition as usize).copied().flatten() {
            Some(latest) if closed_at <= latest => Fate::Late,
            _ => Fate::Unknown,
        }
    }

    /// Takes note that an event is in its partition.
    pub(super) fn note(&mut self, time: EventTime, partition: u32) {
        if let Some(latest) = self.latest.get_mut(partition as usize) {
            *latest = (*latest).max(Some(time.millis()));
        }
    }

    /// A time from which on, backwards, whatever goes to the partition is late; none: nothing is for certain.
    pub(super) fn late_before(&self, partition: u32) -> Option<EventTime> {
        let latest = (*self.latest.get(partition as usize)?)?;
        let watermark = EventTime::from_millis(latest - millis(self.closing_delay())).ok()?;
        // The last window that is over at the watermark ends where the one of the watermark begins.
        EventTime::from_millis(Window::of(watermark).start_millis() - 1).ok()
    }

    /// Whether events of this type count.
    pub(super) fn counts(&self, event_type: &str) -> bool {
        self.rules.event_types.is_empty() || self.rules.event_types.iter().any(|counts| counts == event_type)
    }
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> EventTime {
        EventTime::parse(format!("2024-01-01T{text}Z").as_bytes()).unwrap()
    }

    fn tide(allowed_lateness: u64) -> Tide {
        let (out_of_orderness, allowed_lateness) = (Duration::from_secs(10), Duration::from_secs(allowed_lateness));
        let rules = Rules { out_of_orderness, allowed_lateness, max_future_skew: None, event_types: Vec::new() };
        Tide::new(&rules, 2)
    }

    #[test]
    fn an_event_whose_minute_nothing_can_have_closed_is_counted() {
        let tide = tide(0);
        assert_eq!(tide.fate(time("12:00:59"), 0, time("12:01:09.999")), Fate::Counted);
        assert_eq!(tide.fate(time("12:00:59"), 0, time("12:01:10")), Fate::Unknown);
    }

    #[test]
    fn an_event_is_late_once_its_partition_is_known_to_be_beyond_its_minute() {
        let mut tide = tide(0);
        tide.note(time("12:01:10"), 0);
        assert_eq!(tide.fate(time("12:00:59"), 0, time("12:02:00")), Fate::Late);
        assert_eq!(tide.fate(time("12:01:00"), 0, time("12:02:00")), Fate::Counted);
        // The other partition has its own watermark.
        assert_eq!(tide.fate(time("12:00:59"), 1, time("12:02:00")), Fate::Unknown);
    }

    #[test]
    fn allowed_lateness_keeps_a_minute_open_for_longer() {
        let mut tide = tide(60);
        tide.note(time("12:01:10"), 0);
        assert_eq!(tide.fate(time("12:00:59"), 0, time("12:02:00")), Fate::Counted);
    }

    #[test]
    fn whatever_is_before_the_time_that_is_told_is_late() {
        let mut tide = tide(0);
        assert_eq!(tide.late_before(0), None);
        for latest in ["12:05:09.999", "12:05:10", "12:05:42", "12:06:09.999"] {
            tide.note(time(latest), 0);
            let late = tide.late_before(0).unwrap();
            assert_eq!(tide.fate(late, 0, time("13:00:00")), Fate::Late, "{latest}");
            let next = EventTime::from_millis(late.millis() + 1).unwrap();
            assert_eq!(tide.fate(next, 0, time("13:00:00")), Fate::Unknown, "{latest}");
        }
    }
}
