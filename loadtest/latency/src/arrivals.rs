//! When what completes a row had arrived, worked out from the topic of events. It is read when the job has ended, so that
//! the reading takes nothing from the machine while it is measured. An event arrives when the broker appends it: the topic
//! stamps its records then.

use std::collections::{BTreeMap, HashMap, HashSet};

use kit::Trouble;
use kit::broker::Broker;
use kit::job::OUT_OF_ORDERNESS_MILLIS;
use kit::topic::Reader;
use rdkafka::message::Message as _;
use schemas::{RawEvent, Window, decode};

use crate::key::{Key, number};
use crate::moment::Moment;

/// Arrivals of events.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Arrivals {
    /// When the event arrived that closed the window: the last partition's first event whose time is the window's end and
    /// the out-of-orderness, or later.
    pub(crate) closings: BTreeMap<Window, Moment>,
    /// When the first events of a product's users arrived in a window, in order: the count was c when the c-th had arrived.
    pub(crate) users: HashMap<Key, Vec<Moment>>,
    /// How many events there are.
    pub(crate) events: u64,
}

impl Arrivals {
    /// Reads the topic, whose first window is `first`.
    pub(crate) fn read(broker: &Broker, topic: &str, partitions: u32, first: Window) -> Result<Self, Trouble> {
        let mut gathered = Gatherer::new(partitions, first);
        Reader::new(broker, topic, partitions)?.visit(|message| {
            let event = decode(message.payload().unwrap_or_default()).map_err(|reason| {
                format!("an event is rejected as {reason:?}; the generator was to make valid ones")
            })?;
            let arrived = message.timestamp().to_millis().ok_or("an event has no timestamp")?;
            gathered.take(message.partition().cast_unsigned(), &event, Moment::from_millis(arrived))
        })?;
        Ok(gathered.finish())
    }
}

/// One partition, as far as it was read.
struct Partition {
    watermark_millis: i64,
    /// The first window that it has not passed.
    open: Window,
    closings: BTreeMap<Window, Moment>,
    /// Product and user, of the windows that it has not passed.
    seen: BTreeMap<Window, HashSet<(u32, u32)>>,
}

struct Gatherer {
    partitions: Vec<Partition>,
    arrivals: Arrivals,
}

impl Gatherer {
    fn new(partitions: u32, open: Window) -> Self {
        let partition =
            |_| Partition { watermark_millis: i64::MIN, open, closings: BTreeMap::new(), seen: BTreeMap::new() };
        Gatherer { partitions: (0..partitions).map(partition).collect(), arrivals: Arrivals::default() }
    }

    fn take(&mut self, partition: u32, event: &RawEvent<'_>, arrived: Moment) -> Result<(), Trouble> {
        self.arrivals.events += 1;
        let partition = &mut self.partitions[partition as usize];
        let window = Window::of(event.timestamp);
        // What is late is not counted. A user's events are all in one partition, so its first one there is its first one.
        if window >= partition.open {
            let key = Key::new(window, &event.product_id)?;
            if partition.seen.entry(window).or_default().insert((key.product, number(&event.user_id, "u")?)) {
                self.arrivals.users.entry(key).or_default().push(arrived);
            }
        }
        let time = event.timestamp.millis().min(arrived.millis());
        partition.watermark_millis = partition.watermark_millis.max(time - OUT_OF_ORDERNESS_MILLIS);
        while partition.open.end_millis() <= partition.watermark_millis {
            partition.closings.insert(partition.open, arrived);
            partition.seen.remove(&partition.open);
            partition.open = Window::from_ordinal(partition.open.ordinal() + 1);
        }
        Ok(())
    }

    fn finish(mut self) -> Arrivals {
        self.arrivals.users.values_mut().for_each(|arrivals| arrivals.sort_unstable());
        if let [first, others @ ..] = &self.partitions[..] {
            for (window, closing) in &first.closings {
                let of_others: Option<Vec<Moment>> =
                    others.iter().map(|partition| partition.closings.get(window).copied()).collect();
                if let Some(of_others) = of_others {
                    let last = of_others.into_iter().fold(*closing, Moment::max);
                    self.arrivals.closings.insert(*window, last);
                }
            }
        }
        self.arrivals
    }
}

#[cfg(test)]
mod tests {
    use schemas::EventTime;

    use super::*;

    /// Partition, seconds of event time, user, arrival in milliseconds after a day long past.
    fn gather(events: &[(u32, i64, &str, i64)]) -> Arrivals {
        let mut gatherer = Gatherer::new(2, Window::from_ordinal(0));
        for &(partition, seconds, user, arrived) in events {
            let event = kit::generator::event(user, "7", seconds * 1000);
            let event = decode(event.as_bytes()).unwrap();
            gatherer.take(partition, &event, at(arrived)).unwrap();
        }
        gatherer.finish()
    }

    fn at(millis: i64) -> Moment {
        Moment::from_millis(EventTime::parse(b"2024-01-01T00:00:00Z").unwrap().millis() + millis)
    }

    fn users(arrivals: &Arrivals, ordinal: u32) -> Vec<Moment> {
        let key = Key { window: Window::from_ordinal(ordinal), product: 7 };
        arrivals.users.get(&key).cloned().unwrap_or_default()
    }

    #[test]
    fn a_window_closes_when_the_last_partition_has_passed_its_end_by_the_out_of_orderness() {
        let arrivals =
            gather(&[(0, 1, "u1", 10), (0, 69, "u1", 20), (1, 70, "u2", 30), (0, 70, "u1", 40), (0, 99, "u1", 50)]);
        assert_eq!(arrivals.closings.into_iter().collect::<Vec<_>>(), [(Window::from_ordinal(0), at(40))]);
    }

    #[test]
    fn a_product_has_so_many_users_when_the_last_of_them_has_come_first() {
        let arrivals =
            gather(&[(0, 1, "u1", 10), (1, 2, "u2", 5), (0, 3, "u1", 20), (0, 4, "u3", 30), (0, 61, "u1", 40)]);
        assert_eq!(users(&arrivals, 0), [at(5), at(10), at(30)]);
        assert_eq!(users(&arrivals, 1), [at(40)]);
    }

    #[test]
    fn a_late_event_counts_nowhere() {
        let arrivals = gather(&[(0, 70, "u1", 10), (0, 59, "u2", 20), (1, 59, "u3", 30)]);
        assert_eq!((users(&arrivals, 0), arrivals.events), (vec![at(30)], 3));
    }
}
