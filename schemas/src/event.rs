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

/// A [`RawEvent`] whose texts are bytes of UTF-8: what counting needs of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventView<'a> {
    /// Who looked; 1..=256 bytes.
    pub user_id: &'a [u8],
    /// At what; 1..=256 bytes.
    pub product_id: &'a [u8],
    /// What was done, such as `VIEW_PRODUCT`; 1..=256 bytes.
    pub event_type: &'a [u8],
    /// When it was done, by the sender's clock.
    pub timestamp: EventTime,
}

impl RawEvent<'_> {
    /// Its texts as bytes.
    #[must_use]
    pub fn view(&self) -> EventView<'_> {
        EventView {
            user_id: self.user_id.as_bytes(),
            product_id: self.product_id.as_bytes(),
            event_type: self.event_type.as_bytes(),
            timestamp: self.timestamp,
        }
    }
}

impl<'a> EventView<'a> {
    /// With its texts as such; `None` where one of them is no UTF-8, which no decoder lets pass.
    pub(crate) fn to_event(self) -> Option<RawEvent<'a>> {
        let text = |bytes| std::str::from_utf8(bytes).ok().map(Cow::Borrowed);
        Some(RawEvent {
            user_id: text(self.user_id)?,
            product_id: text(self.product_id)?,
            event_type: text(self.event_type)?,
            timestamp: self.timestamp,
        })
    }
}
