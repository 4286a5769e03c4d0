//! The Kafka sink: final rows to the results topic, records that were not counted to topics of their own.

use rdkafka::message::{Header, OwnedHeaders};
use schemas::names::{self, header};
use schemas::{EventTime, ResultRow, RowEncoder, Window};

use super::Sink;
use crate::commit::home::Output;
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

/// What is sent for each row and record. Whoever has it has a producer too, with transactions or without.
#[derive(Debug)]
pub struct KafkaOutput {
    topics: Topics,
    metrics: SinkMetrics,
    encoder: RowEncoder,
    /// Kept for its room.
    value: Vec<u8>,
}

impl KafkaOutput {
    /// Checks that the topics exist.
    ///
    /// # Errors
    /// [`Error::Usage`] where flags are wrong or a topic does not exist, [`Error::Unavailable`] where no broker
    /// answers.
    pub fn connect(args: &KafkaArgs, topics: Topics, metrics: SinkMetrics) -> Result<Self, Error> {
        let mut inspector = topic::inspect(args)?;
        for name in [&topics.results, &topics.late, &topics.rejected] {
            inspector.partitions(name, topic::TIME_LIMIT)?;
        }
        Ok(KafkaOutput { topics, metrics, encoder: RowEncoder::default(), value: Vec::new() })
    }

    /// Hands output to the producer.
    ///
    /// # Errors
    /// When it, or what was sent before, cannot be written.
    pub fn write(&mut self, producer: &mut Producer, output: &Output) -> Result<(), Error> {
        match output {
            Output::Rows(rows) => self.write_rows(producer, rows, true),
            Output::Live(rows) => self.write_rows(producer, rows, false),
            Output::Quarantined(records) => self.write_quarantined(producer, records),
        }
    }

    fn write_rows(&mut self, producer: &mut Producer, rows: &[ResultRow], is_final: bool) -> Result<(), Error> {
        for row in rows {
            self.value.clear();
            self.encoder.encode(row, Some(is_final), &mut self.value);
            let key = row.product_id.as_bytes();
            producer.send(&self.topics.results, None, Some(key), Some(&self.value), None)?;
        }
        Ok(())
    }

    fn write_quarantined(&self, producer: &mut Producer, records: &[Quarantined]) -> Result<(), Error> {
        for record in records {
            let to = match record.verdict {
                Verdict::Rejected(_) => &self.topics.rejected,
                Verdict::Late { .. } => &self.topics.late,
            };
            // The original's key, so that a record keeps its place among those of its user.
            let key = record.key.as_deref().filter(|_| is_carried(record));
            producer.send(to, None, key, record.value.as_deref(), Some(headers(record)))?;
        }
        Ok(())
    }

    /// Takes note that the brokers have all of this.
    pub fn acknowledge(&self, outputs: &[Output]) {
        for output in outputs {
            match output {
                Output::Rows(rows) => self.metrics.acknowledge_rows(rows.len()),
                Output::Live(rows) => self.metrics.acknowledge_live(rows.len()),
                Output::Quarantined(records) => self.metrics.acknowledge_quarantined(records.len()),
            }
        }
    }
}

/// Writes to Kafka without transactions. One thread, one producer.
#[derive(Debug)]
pub struct KafkaSink {
    producer: Producer,
    output: KafkaOutput,
    /// Rows, rows of open windows and quarantined records that the brokers need not have yet.
    unflushed: [usize; 3],
}

impl KafkaSink {
    /// Opens a producer.
    ///
    /// # Errors
    /// [`Error::Usage`] where flags are wrong.
    pub fn new(args: &KafkaArgs, output: KafkaOutput) -> Result<Self, Error> {
        Ok(KafkaSink { producer: Producer::new(args)?, output, unflushed: [0; 3] })
    }
}

impl Sink for KafkaSink {
    fn write_rows(&mut self, rows: &[ResultRow]) -> Result<(), Error> {
        self.unflushed[0] += rows.len();
        self.output.write_rows(&mut self.producer, rows, true)
    }

    fn write_live(&mut self, rows: &[ResultRow]) -> Result<(), Error> {
        self.unflushed[1] += rows.len();
        self.output.write_rows(&mut self.producer, rows, false)
    }

    fn write_quarantined(&mut self, records: &[Quarantined]) -> Result<(), Error> {
        self.unflushed[2] += records.len();
        self.output.write_quarantined(&mut self.producer, records)
    }

    fn flush(&mut self) -> Result<(), Error> {
        let [rows, live, quarantined] = std::mem::take(&mut self.unflushed);
        if rows + live + quarantined == 0 {
            return Ok(());
        }
        self.producer.flush()?;
        self.output.metrics.acknowledge_rows(rows);
        self.output.metrics.acknowledge_live(live);
        self.output.metrics.acknowledge_quarantined(quarantined);
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        self.flush()
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
