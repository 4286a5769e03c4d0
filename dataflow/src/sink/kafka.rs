//! The Kafka sink: final rows to the results topic, records that were not counted to topics of their own.

use rdkafka::message::{Header, OwnedHeaders};
use schemas::names::{self, header};
use schemas::{EventTime, ResultRow, TopicRow, Window};

use super::Sink;
use crate::error::Error;
use crate::kafka::{KafkaArgs, Producer, topic};
use crate::metrics::SinkMetrics;
use crate::record::{Quarantined, Verdict};

#[cfg(test)]
mod tests;

/// Where the sink writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    /// Rows; key = product id.
    pub results: String,
    /// Records that came after their window was final.
    pub late: String,
    /// Records that are no valid events.
    pub rejected: String,
}

impl Default for Topics {
    fn default() -> Self {
        Topics {
            results: names::RESULTS_TOPIC.to_owned(),
            late: names::LATE_EVENTS_TOPIC.to_owned(),
            rejected: names::REJECTED_EVENTS_TOPIC.to_owned(),
        }
    }
}

/// Writes to Kafka. One thread, one producer; each call returns when the brokers have acknowledged all that it wrote.
#[derive(Debug)]
pub struct KafkaSink {
    producer: Producer,
    topics: Topics,
    metrics: SinkMetrics,
    /// Kept for its room.
    value: Vec<u8>,
}

impl KafkaSink {
    /// Checks that the topics exist, then opens a producer.
    ///
    /// # Errors
    /// [`Error::Usage`] where flags are wrong or a topic does not exist, [`Error::Unavailable`] where no broker
    /// answers.
    pub fn connect(args: &KafkaArgs, topics: Topics, metrics: SinkMetrics) -> Result<Self, Error> {
        let mut inspector = topic::Inspector::connect(args)?;
        for name in [&topics.results, &topics.late, &topics.rejected] {
            inspector.partitions(name, topic::TIME_LIMIT)?;
        }
        Ok(KafkaSink { producer: Producer::new(args)?, topics, metrics, value: Vec::new() })
    }
}

impl Sink for KafkaSink {
    fn write_rows(&mut self, rows: &[ResultRow]) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        for row in rows {
            self.value.clear();
            serde_json::to_writer(&mut self.value, &TopicRow { row: row.clone(), is_final: true })
                .map_err(|error| Error::Internal(format!("a result row cannot be written as JSON: {error}")))?;
            let key = row.product_id.as_bytes();
            self.producer.send(&self.topics.results, None, Some(key), Some(&self.value), None)?;
        }
        self.producer.flush()?;
        self.metrics.acknowledge_rows(rows.len());
        Ok(())
    }

    fn write_quarantined(&mut self, records: &[Quarantined]) -> Result<(), Error> {
        if records.is_empty() {
            return Ok(());
        }
        for record in records {
            let to = match record.verdict {
                Verdict::Rejected(_) => &self.topics.rejected,
                Verdict::Late { .. } => &self.topics.late,
            };
            // The original's key, so that a record keeps its place among those of its user.
            let key = record.key.as_deref().filter(|_| is_carried(record));
            self.producer.send(to, None, key, record.value.as_deref(), Some(headers(record)))?;
        }
        self.producer.flush()?;
        self.metrics.acknowledge_quarantined(records.len());
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        self.producer.flush()
    }
}

/// A record's own key and headers: with the value, of which at most 64 KiB are kept, and our headers, they fit into the
/// megabyte that a topic takes by default.
const MAX_CARRIED_BYTES: usize = 512 << 10;

/// Whether the record's own key and headers are carried on. No record may stop the job, so one whose topic takes more
/// than those of the late and rejected records goes without them.
fn is_carried(record: &Quarantined) -> bool {
    record.key_and_headers_bytes() <= MAX_CARRIED_BYTES
}

/// The record's own headers, then ours.
fn headers(record: &Quarantined) -> OwnedHeaders {
    let mut headers = OwnedHeaders::new_with_capacity(record.headers.len() + 8);
    if is_carried(record) {
        for (key, value) in &record.headers {
            headers = headers.insert(Header { key, value: value.as_deref() });
        }
    } else {
        headers = with(headers, header::LEFT_OUT_BYTES, &record.key_and_headers_bytes().to_string());
    }
    let reason = match record.verdict {
        Verdict::Rejected(reason) => reason.code(),
        Verdict::Late { .. } => "late",
    };
    headers = with(headers, header::REASON, reason);
    headers = with(headers, header::SOURCE, &record.source);
    headers = with(headers, header::PARTITION, &record.partition.0.to_string());
    headers = with(headers, header::OFFSET, &record.offset.0.to_string());
    if let Verdict::Late { event_millis, lateness_millis } = record.verdict {
        // Only decoded events are late, and their times are in range.
        let window = Window::of(EventTime::from_millis(event_millis).unwrap_or(EventTime::MIN));
        headers = with(headers, header::WINDOW_START, &window.start_text());
        headers = with(headers, header::LATENESS_MS, &lateness_millis.to_string());
    }
    if let Some(cut) = &record.cut {
        headers = with(headers, header::ORIGINAL_LENGTH, &cut.length.to_string());
        headers = with(headers, header::ORIGINAL_SHA256, &cut.sha256_hex());
    }
    headers
}

fn with(headers: OwnedHeaders, key: &str, value: &str) -> OwnedHeaders {
    headers.insert(Header { key, value: Some(value) })
}
