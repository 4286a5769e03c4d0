//! Records on their way through the job that are not counted: late and rejected ones, kept whole.

use schemas::quarantine::{Late, LateRecord, Origin, Original, RejectedRecord};
use schemas::{EventTime, Reason, Window};
use serde::{Deserialize, Serialize};

/// A partition of the input: of the topic, or a file's place in the order of paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartitionId(pub u32);

/// A record's place in its partition: the Kafka offset, or the line number in a file, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Offset(pub u64);

/// A record that was not counted, with all that is needed to keep it and to find it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// Why it was not counted.
    pub verdict: Verdict,
    /// The topic, the file's path, or `-` for standard input.
    pub source: String,
    /// Where it came from.
    pub partition: PartitionId,
    /// Where in the partition.
    pub offset: Offset,
    /// The Kafka key.
    #[serde(with = "serde_bytes")]
    pub key: Option<Vec<u8>>,
    /// The Kafka headers, in order; a header's value may be null.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The original bytes, or the first 64 KiB of them; `None` for a Kafka null.
    #[serde(with = "serde_bytes")]
    pub value: Option<Vec<u8>>,
    /// What is missing from `value`, where it was cut.
    pub cut: Option<Cut>,
}

/// Why a record was not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It is no valid event.
    Rejected(Reason),
    /// It is a valid event of a window that was final.
    Late {
        /// The event's time, in milliseconds since the Unix epoch.
        event_millis: i64,
        /// By how much the partition's watermark had passed the window's end, in milliseconds.
        lateness_millis: u64,
    },
}

/// The whole of a record of which only the beginning is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Its length in bytes.
    pub length: u64,
    /// The SHA-256 of all its bytes.
    pub sha256: [u8; 32],
}

impl Cut {
    /// The digest in hexadecimal.
    #[must_use]
    pub fn sha256_hex(&self) -> String {
        self.sha256.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The line that a file keeps of a quarantined record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Envelope {
    /// Of a rejected record.
    Rejected(RejectedRecord),
    /// Of a late one.
    Late(LateRecord),
}

impl Quarantined {
    /// The record's envelope, as files keep it.
    #[must_use]
    pub fn envelope(&self) -> Envelope {
        let origin = Origin { source: self.source.clone(), partition: self.partition.0, offset: self.offset.0 };
        let original = match (&self.value, &self.cut) {
            (Some(kept), Some(cut)) => Original::cut(kept, cut.length, cut.sha256_hex()),
            (value, _) => Original::whole(value.as_deref()),
        };
        match self.verdict {
            Verdict::Rejected(reason) => Envelope::Rejected(RejectedRecord { reason, origin, original }),
            Verdict::Late { event_millis, lateness_millis } => {
                // Only decoded events are late, and their times are in range.
                let timestamp = EventTime::from_millis(event_millis).unwrap_or(EventTime::MIN);
                Envelope::Late(LateRecord {
                    reason: Late::Late,
                    origin,
                    timestamp,
                    window_start: Window::of(timestamp),
                    lateness_ms: lateness_millis,
                    original,
                })
            }
        }
    }
}

impl Quarantined {
    /// How long its own key and headers are together, in bytes.
    #[must_use]
    pub fn key_and_headers_bytes(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len));
        self.key.as_ref().map_or(0, Vec::len) + headers.sum::<usize>()
    }

    /// About how much memory the record takes, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.value.as_ref().map_or(0, Vec::len) + self.key_and_headers_bytes()
    }
}
