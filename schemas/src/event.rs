//! The raw event: somebody looked at a product.

use std::borrow::Cow;

use crate::EventTime;

/// The longest record, without its line end, in bytes.
pub const MAX_RECORD_BYTES: usize = 65_536;
/// The longest id and event type, in UTF-8 bytes after unescaping.
pub const MAX_ID_BYTES: usize = 256;
/// The deepest nesting of objects and arrays in a record; the record's own object is the first level.
pub const MAX_NESTING: usize = 128;

/// One user activity event, borrowed from the bytes it was decoded from.
///
/// ```json
/// {"user_id":"u123","product_id":"42","event_type":"VIEW_PRODUCT","timestamp":"2024-01-01T12:00:00Z","metadata":{"session_id":"abc"}}
/// ```
///
/// Texts are as meant, not as written: escapes are resolved (then the text is owned). An id that was
/// written as an integer is the text of its digits. `metadata` and unknown fields are checked for being
/// JSON and then left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawEvent<'a> {
    /// Who looked; 1..=256 bytes.
    pub user_id: Cow<'a, str>,
    /// At what; 1..=256 bytes.
    pub product_id: Cow<'a, str>,
    /// What was done, such as `VIEW_PRODUCT`; 1..=256 bytes.
    pub event_type: Cow<'a, str>,
    /// When it was done, by the sender's clock.
    pub timestamp: EventTime,
}
