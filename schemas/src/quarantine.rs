//! The envelopes in which records that were not counted are kept: nothing is lost.
//!
//! In files each record is one JSON line, a [`RejectedRecord`] or a [`LateRecord`]. In Kafka the
//! original value, key and headers are kept as they were and the envelope's other fields become
//! [headers](crate::names::header).

use serde::{Deserialize, Serialize};

use crate::{EventTime, Reason, Window};

/// Where a record came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The topic, the file's path, or `-` for standard input.
    pub source: String,
    /// The partition of the topic; for files the file's place in the order of paths.
    pub partition: u32,
    /// The Kafka offset, or the line number in a file, counted from 1.
    pub offset: u64,
}

/// The original record: as text where it is UTF-8, else in base64 (RFC 4648, with padding).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Original {
    /// The record's text; absent where it is not UTF-8 or where there was no value.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
    /// The record's bytes in base64, where they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub base64: Option<String>,
    /// The full length in bytes, where only the first 65 536 bytes are kept.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub original_length: Option<u64>,
    /// The SHA-256 of all bytes in hexadecimal, where only the first 65 536 are kept.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub original_sha256: Option<String>,
}

impl Original {
    /// The envelope's form of a whole record; `None` is a record without a value.
    #[must_use]
    pub fn whole(value: Option<&[u8]>) -> Self {
        use base64::prelude::{BASE64_STANDARD, Engine as _};
        let (text, base64) = match value.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
            None => (None, None),
            Some((_, Ok(text))) => (Some(text.to_owned()), None),
            Some((bytes, Err(_))) => (None, Some(BASE64_STANDARD.encode(bytes))),
        };
        Original { text, base64, original_length: None, original_sha256: None }
    }

    /// The envelope's form of a record of which only the first `kept` bytes are kept.
    #[must_use]
    pub fn cut(kept: &[u8], length: u64, sha256_hex: String) -> Self {
        Original { original_length: Some(length), original_sha256: Some(sha256_hex), ..Original::whole(Some(kept)) }
    }
}

/// A record that is no valid event.
///
/// ```json
/// {"reason":"not_json","source":"events.ndjson","partition":0,"offset":17,"text":"{\"user_id\":"}
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedRecord {
    /// Why.
    pub reason: Reason,
    /// Where it came from.
    #[serde(flatten)]
    pub origin: Origin,
    /// What it was.
    #[serde(flatten)]
    pub original: Original,
}

/// A valid event that came after its window was final.
///
/// ```json
/// {"reason":"late","source":"events.ndjson","partition":0,"offset":9,"timestamp":"2024-01-01T12:00:30.000Z",
///  "window_start":"2024-01-01T12:00:00Z","lateness_ms":4210,"text":"{...}"}
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateRecord {
    /// Always `late`.
    pub reason: Late,
    /// Where it came from.
    #[serde(flatten)]
    pub origin: Origin,
    /// The event's time.
    pub timestamp: EventTime,
    /// The start of the window that had closed, `YYYY-MM-DDTHH:MM:SSZ`.
    #[serde(with = "window_start")]
    pub window_start: Window,
    /// By how much the partition's watermark had passed the window's end, in milliseconds.
    pub lateness_ms: u64,
    /// What it was.
    #[serde(flatten)]
    pub original: Original,
}

/// The word `late`, in the place where rejected records say their [`Reason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Late {
    /// The event came after its window was final.
    Late,
}

mod window_start {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::Window;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's `with` passes a reference")]
    pub(super) fn serialize<S: Serializer>(window: &Window, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(window)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Window, D::Error> {
        let text = String::deserialize(deserializer)?;
        Window::from_start_text(&text).map_err(D::Error::custom)
    }
}
