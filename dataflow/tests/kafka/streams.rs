//! A generated stream that is sent bit by bit, and the exact results that must come of all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dataflow::commit::record::RecordTotals;
use dataflow::generate::{AnswerKey, Generated, Shape, Stream, Summary, Timing};
use schemas::names::header;
use schemas::{ResultRow, TopicRow};

use crate::broker::Broker;
use crate::jobs::{Job, Running, event};
use crate::topics::{Stored, read_committed, send};

/// Of events that only close windows; their own window stays open, or is left out of comparisons.
const CLOSING: &str = "closing";

/// The records of a stream, the last of which close every window of the others.
pub(crate) struct Records {
    records: Vec<(i32, Vec<u8>)>,
    sent: usize,
    partitions: u32,
    rows: Vec<ResultRow>,
    summary: Summary,
}

impl Records {
    /// A few minutes of disorder from 12:00 on, with late and malformed records among them.
    pub(crate) fn generate(events: u64, partitions: u32, seed: u64) -> Self {
        let shape = Shape {
            events: Some(events),
            seed,
            timing: Timing::Spread(Duration::from_secs(8 * 60)),
            products: 20,
            users: 300,
            partitions,
            late_share: 0.01,
            malformed_share: 0.01,
            ..Shape::default()
        };
        let (mut stream, mut answers) = (Stream::new(&shape).unwrap(), AnswerKey::new(&shape));
        let mut record = Generated::default();
        let mut records = Vec::new();
        while stream.next(&mut record) {
            answers.observe(&record);
            records.push((i32::try_from(record.partition).unwrap(), record.value.clone()));
        }
        for time in ["12:20:00", "12:30:00"] {
            let close = |partition| (partition, event("nobody", CLOSING, time).into_bytes());
            records.extend((0..i32::try_from(partitions).unwrap()).map(close));
        }
        let (rows, summary) = answers.finish();
        assert!(summary.late > 0 && summary.rejected.values().sum::<u64>() > 0, "{summary:?}");
        Records { records, sent: 0, partitions, rows, summary }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// How many were sent.
    pub(crate) fn sent(&self) -> usize {
        self.sent
    }

    /// Sends records until this share of all of them is sent.
    pub(crate) fn send_until(&mut self, broker: &Broker, topic: &str, share: f64) {
        let end = if share >= 1.0 { self.len() } else { (self.len() as f64 * share) as usize };
        let part = self.records[self.sent..end].iter();
        send(broker, topic, part.map(|(partition, value)| (*partition, None, Some(&value[..]))));
        self.sent = end;
    }

    /// Sends all that is left, in so many portions with a short pause after each: the topic grows while others look on.
    pub(crate) fn send_slowly(&mut self, broker: &Broker, topic: &str, portions: u32) {
        const PAUSE: Duration = Duration::from_millis(100);
        let from = self.sent as f64 / self.len() as f64;
        for portion in 1..=portions {
            self.send_until(broker, topic, from + (1.0 - from) * f64::from(portion) / f64::from(portions));
            std::thread::sleep(PAUSE);
        }
        assert_eq!(self.sent, self.len());
    }

    /// Waits until a running job has closed all windows but the last, then ends it well.
    pub(crate) fn finish(&self, job: &Job<'_>, mut running: Running) {
        job.until_read(&mut running, self.len());
        job.until_closed(&mut running, "2024-01-01T12:29:00Z");
        running.stop();
    }

    /// Compares the topics with what must be in them, each thing once.
    pub(crate) fn check(&self, job: &Job<'_>) {
        let rows = own_rows(final_of(job.broker, &job.topics.results));
        assert_eq!(rows.len(), self.rows.len(), "missing or repeated rows");
        assert_eq!(rows, self.rows);
        let late = each_once(&read_committed(job.broker, &job.topics.late));
        assert_eq!(late.len() as u64, self.summary.late, "late records");
        let rejected = each_once(&read_committed(job.broker, &job.topics.rejected));
        assert_eq!(rejected.len() as u64, self.summary.rejected.values().sum::<u64>(), "rejected records");
        assert!(late.is_disjoint(&rejected));

        let records = job.records();
        assert_eq!(records.len(), self.partitions as usize);
        let totals = records.iter().map(|record| record.totals).reduce(RecordTotals::plus).unwrap();
        assert!(totals.balance(), "{totals:?}");
        assert_eq!(totals.received, self.len() as u64);
        assert_eq!((totals.late, totals.rejected), (late.len() as u64, rejected.len() as u64));
    }

    /// What must be in the topic and in the table.
    pub(crate) fn rows(&self) -> &[ResultRow] {
        &self.rows
    }
}

/// Rows without those of events that only close windows.
pub(crate) fn own_rows(mut rows: Vec<ResultRow>) -> Vec<ResultRow> {
    rows.retain(|row| row.product_id != CLOSING);
    rows
}

/// The final rows in a results topic, as files have them. A live count never follows the final one, and live counts
/// never run backwards.
pub(crate) fn final_of(broker: &Broker, topic: &str) -> Vec<ResultRow> {
    let mut finals = Vec::new();
    let mut live: BTreeMap<_, u64> = BTreeMap::new();
    let mut closed = BTreeSet::new();
    // A key has one partition, and a partition is in order.
    for stored in read_committed(broker, topic) {
        let TopicRow { row, is_final } = serde_json::from_slice(&stored.value.unwrap()).unwrap();
        assert_eq!(stored.key.as_deref(), Some(row.product_id.as_bytes()));
        let key = (row.window, row.product_id.clone());
        if is_final {
            closed.insert(key);
            finals.push(row);
        } else {
            assert!(!closed.contains(&key), "a live count after the final one: {row:?}");
            let before = live.insert(key, row.unique_user_count).unwrap_or(0);
            assert!(before <= row.unique_user_count, "a live count of {before} before {row:?}");
        }
    }
    finals.sort_by(|a, b| (a.window, &a.product_id, a.revision).cmp(&(b.window, &b.product_id, b.revision)));
    finals
}

/// Where late or rejected records came from; none may be there twice.
pub(crate) fn each_once(records: &[Stored]) -> BTreeSet<(String, String)> {
    let mut origins = BTreeSet::new();
    for record in records {
        let origin = (record.header(header::PARTITION).unwrap(), record.header(header::OFFSET).unwrap());
        assert!(origins.insert(origin.clone()), "twice: {origin:?}");
    }
    origins
}
