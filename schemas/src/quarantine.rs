//! The envelopes in which records that were not counted are kept: nothing is lost.
//!
//! In files each record is one JSON line, a [`RejectedRecord`] or a [`LateRecord`]. In Kafka the
//! original value, key and headers are kept as they were and the envelope's other fields become
//! [headers](crate::names::header).

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::wire::present;
use crate::{EventTime, MAX_RECORD_BYTES, Reason, Window};

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
///
/// Reading refuses what [`whole`](Self::whole) and [`cut`](Self::cut) never write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WrittenOriginal")]
pub struct Original {
    /// The record's text; absent where it is not UTF-8 or where there was no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The record's bytes in base64, where they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// The full length in bytes, where only the first 65 536 bytes are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_length: Option<u64>,
    /// The SHA-256 of all bytes in hexadecimal, where only the first 65 536 are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_sha256: Option<String>,
}

/// The fields of an [`Original`] as read, before they are checked against each other.
#[derive(Deserialize)]
struct WrittenOriginal {
    #[serde(default, deserialize_with = "present")]
    text: Option<String>,
    #[serde(default, deserialize_with = "present")]
    base64: Option<String>,
    #[serde(default, deserialize_with = "present")]
    original_length: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    original_sha256: Option<String>,
}

impl TryFrom<WrittenOriginal> for Original {
    type Error = &'static str;

    fn try_from(written: WrittenOriginal) -> Result<Self, Self::Error> {
        let WrittenOriginal { text, base64, original_length, original_sha256 } = written;
        if text.is_some() && base64.is_some() {
            return Err("both text and base64; a record is kept in one of them");
        }
        if base64.as_ref().is_some_and(|base64| BASE64_STANDARD.decode(base64).is_err()) {
            return Err("base64 is not base64 with padding (RFC 4648)");
        }
        if original_length.is_some() != original_sha256.is_some() {
            return Err("only one of original_length and original_sha256; a cut record has both");
        }
        if original_length.is_some_and(|length| length <= MAX_RECORD_BYTES as u64) {
            return Err("original_length is not above 65536; such a record is kept whole");
        }
        if original_length.is_some() && text.is_none() && base64.is_none() {
            return Err("original_length without text or base64; a cut record keeps its first 65536 bytes");
        }
        let is_hex =
            |digest: &String| digest.len() == 64 && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if original_sha256.as_ref().is_some_and(|digest| !is_hex(digest)) {
            return Err("original_sha256 is not 64 hexadecimal digits in lower case");
        }
        Ok(Original { text, base64, original_length, original_sha256 })
    }
}

impl Original {
    /// The envelope's form of a whole record; `None` is a record without a value.
    #[must_use]
    pub fn whole(value: Option<&[u8]>) -> Self {
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
#[serde(deny_unknown_fields)]
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
#[serde(deny_unknown_fields)]
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
    /// What it was: a valid event, hence always whole and text.
    #[serde(flatten, deserialize_with = "whole_text")]
    pub original: Original,
}

/// The word `late`, in the place where rejected records say their [`Reason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Late {
    /// The event came after its window was final.
    Late,
}

/// Reads the original of a late record.
fn whole_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Original, D::Error> {
    let original = Original::deserialize(deserializer)?;
    if original.text.is_none() || original.original_length.is_some() {
        return Err(D::Error::custom("no whole text; a late record is a valid event"));
    }
    Ok(original)
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
