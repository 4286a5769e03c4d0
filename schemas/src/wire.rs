//! What several wire forms share.

use serde::{Deserialize, Deserializer};

use crate::MAX_ID_BYTES;

/// Whether a text is as long as ids and event types may be: 1..=256 bytes.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&text.len())
}

/// An optional field that is left out where it has no value: `null` is refused.
pub(crate) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
