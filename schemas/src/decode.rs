//! The decoder: bytes of a record to a [`RawEvent`], or the [`Reason`] why they are none.
//!
//! There are two paths with one meaning. [`decode_fast`] recognises the layout in which nearly all
//! records are written and reads it in one pass; [`decode_general`] reads any JSON and alone knows how to
//! refuse. What the fast path accepts, the general path accepts with the same result.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use wide::i8x16;

use crate::wire::is_id;
use crate::{EventTime, EventView, MAX_ID_BYTES, MAX_NESTING, MAX_RECORD_BYTES, RawEvent, Reason};

/// Decodes one record: the value of a Kafka message, an item of a request, or a line of a file without
/// its line end.
///
/// # Errors
/// The first [`Reason`], in the order of that list, that applies.
///
/// ```
/// let event = schemas::decode(br#"{"user_id":"u1","product_id":42,"event_type":"VIEW_PRODUCT","timestamp":"2024-01-01T12:00:00Z"}"#)?;
/// assert_eq!(event.product_id, "42");
/// assert_eq!(schemas::decode(b"{}"), Err(schemas::Reason::MissingUserId));
/// # Ok::<(), schemas::Reason>(())
/// ```
pub fn decode(record: &[u8]) -> Result<RawEvent<'_>, Reason> {
    match decode_fast(record).and_then(EventView::to_event) {
        Some(event) => Ok(event),
        None => decode_general(record),
    }
}

/// Reads a record that has the common layout; `None` says nothing about the record but that it has not.
///
/// The layout: the fields `user_id`, `product_id`, `event_type`, `timestamp` and at the end, if at all,
/// `metadata`, in this order, without white space, all of them strings without escapes, the metadata an
/// object of such strings. The whole record is validated.
#[must_use]
#[inline]
pub fn decode_fast(record: &[u8]) -> Option<EventView<'_>> {
    if record.len() > MAX_RECORD_BYTES || !is_plain(record) {
        return None;
    }
    let mut cursor = Cursor { rest: record };
    cursor.skip(br#"{"user_id":""#)?;
    let user_id = cursor.plain_id()?;
    cursor.skip(br#"","product_id":""#)?;
    let product_id = cursor.plain_id()?;
    cursor.skip(br#"","event_type":""#)?;
    let event_type = cursor.plain_id()?;
    cursor.skip(br#"","timestamp":""#)?;
    let timestamp = cursor.time()?;
    if cursor.skip(br#"","metadata":{"#).is_some() {
        cursor.plain_fields()?;
        cursor.skip(b"}")?;
    } else {
        cursor.skip(br#""}"#)?;
    }
    cursor.rest.is_empty().then_some(EventView { user_id, product_id, event_type, timestamp })
}

/// Reads any record, whatever its key order, white space, escapes and extra fields.
///
/// # Errors
/// The first [`Reason`], in the order of that list, that applies.
pub fn decode_general(record: &[u8]) -> Result<RawEvent<'_>, Reason> {
    if record.is_empty() {
        return Err(Reason::Empty);
    }
    if record.len() > MAX_RECORD_BYTES {
        return Err(Reason::TooLarge);
    }
    let text = std::str::from_utf8(record).map_err(|_| Reason::NotUtf8)?;
    // Nearly all are objects, and shallow ones: validated and taken apart at once.
    if !may_be_too_deep(record)
        && let Ok(fields) = serde_json::from_str::<Fields<'_>>(text)
    {
        return fields.judge();
    }
    let value: &RawValue = serde_json::from_str(text).map_err(|_| Reason::NotJson)?;
    if !value.get().starts_with('{') {
        return Err(Reason::NotAnObject);
    }
    if nesting(value.get()) > MAX_NESTING {
        return Err(Reason::TooDeep);
    }
    let fields: Fields<'_> = serde_json::from_str(value.get()).map_err(|_| Reason::NotJson)?;
    fields.judge()
}

/// Whether a record is text without escapes and control characters.
#[inline]
fn is_plain(record: &[u8]) -> bool {
    is_plain_ascii(record) || {
        let is_escape = |byte: &u8| *byte < 0x20 || *byte == b'\\';
        !record.iter().any(is_escape) && std::str::from_utf8(record).is_ok()
    }
}

/// Whether bytes are printable ASCII (or DEL) without backslashes; shorter ones are no record with all its fields.
#[inline]
fn is_plain_ascii(bytes: &[u8]) -> bool {
    // As signed numbers, what is not ASCII lies below the control characters.
    let odd = |lanes: &[u8; 16]| {
        let lanes = lanes_of(lanes);
        lanes.simd_lt(i8x16::splat(0x20)) | lanes.simd_eq(i8x16::splat(b'\\'.cast_signed()))
    };
    // The last sixteen overlap with the others.
    let Some(last) = bytes.last_chunk() else { return false };
    let odd = bytes.as_chunks().0.iter().fold(odd(last), |any, lanes| any | odd(lanes));
    !odd.any()
}

#[inline]
fn lanes_of(bytes: &[u8; 16]) -> i8x16 {
    i8x16::new(bytes.map(u8::cast_signed))
}

/// A reader of JSON without white space and escapes, by what is left to read.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    #[inline]
    fn skip<const N: usize>(&mut self, expected: &[u8; N]) -> Option<()> {
        // A known length makes this a comparison of words, not a call.
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        (head == expected).then(|| self.rest = rest)
    }

    /// What stands before the quote that comes next.
    #[inline]
    fn plain(&mut self) -> Option<&'a [u8]> {
        let (text, rest) = self.rest.split_at_checked(quote_at(self.rest)?)?;
        self.rest = rest;
        Some(text)
    }

    #[inline]
    fn plain_id(&mut self) -> Option<&'a [u8]> {
        self.plain().filter(|id| (1..=MAX_ID_BYTES).contains(&id.len()))
    }

    #[inline]
    fn time(&mut self) -> Option<EventTime> {
        // Nearly all have this length, and whatever is such a time has neither quotes nor escapes.
        if let Some((text, rest)) = self.rest.split_first_chunk()
            && let Some(time) = EventTime::parse_usual(text)
        {
            self.rest = rest;
            return Some(time);
        }
        EventTime::parse(self.plain()?).ok()
    }

    /// The rest of an object whose values are plain strings.
    #[inline]
    fn plain_fields(&mut self) -> Option<()> {
        if self.skip(b"}").is_some() {
            return Some(());
        }
        self.skip(b"\"")?;
        loop {
            self.plain()?;
            self.skip(br#"":""#)?;
            self.plain()?;
            if self.skip(br#"",""#).is_none() {
                return self.skip(br#""}"#);
            }
        }
    }
}

/// The place of the first quote.
#[inline]
fn quote_at(bytes: &[u8]) -> Option<usize> {
    let (chunks, rest) = bytes.as_chunks();
    for (index, lanes) in chunks.iter().enumerate() {
        let quotes = lanes_of(lanes).simd_eq(i8x16::splat(b'"'.cast_signed())).to_bitmask();
        if quotes != 0 {
            return Some(index * 16 + quotes.trailing_zeros() as usize);
        }
    }
    let from = bytes.len() - rest.len();
    let (words, rest) = rest.as_chunks();
    if let [word] = words {
        // A byte that is a quote becomes 0. The lowest one that is flagged is exact; higher ones may be by a borrow.
        let word = u64::from_le_bytes(*word) ^ (ONES * u64::from(b'"'));
        let quotes = word.wrapping_sub(ONES) & !word & (ONES << 7);
        if quotes != 0 {
            return Some(from + quotes.trailing_zeros() as usize / 8);
        }
    }
    rest.iter().position(|byte| *byte == b'"').map(|at| bytes.len() - rest.len() + at)
}

/// Eight bytes of 1.
const ONES: u64 = u64::from_le_bytes([1; 8]);

/// The required fields as written; of a duplicate key the last value.
#[derive(Default)]
struct Fields<'a> {
    user_id: Option<&'a RawValue>,
    product_id: Option<&'a RawValue>,
    event_type: Option<&'a RawValue>,
    timestamp: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    fn judge(self) -> Result<RawEvent<'a>, Reason> {
        // In the order of `Reason`, not of the fields in the record.
        let user_id = self.user_id.ok_or(Reason::MissingUserId)?;
        let user_id = id(user_id).ok_or(Reason::InvalidUserId)?;
        let product_id = self.product_id.ok_or(Reason::MissingProductId)?;
        let product_id = id(product_id).ok_or(Reason::InvalidProductId)?;
        let event_type = self.event_type.ok_or(Reason::MissingEventType)?;
        let event_type = string(event_type).filter(|text| is_id(text)).ok_or(Reason::InvalidEventType)?;
        let timestamp = self.timestamp.ok_or(Reason::MissingTimestamp)?;
        let timestamp = string(timestamp).ok_or(Reason::InvalidTimestamp)?;
        let timestamp = EventTime::parse(timestamp.as_bytes()).map_err(|_| Reason::InvalidTimestamp)?;
        Ok(RawEvent { user_id, product_id, event_type, timestamp })
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Fields::default();
                // Keys are read raw too: an unknown key is ignored even where its escapes mean nothing.
                while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                    match string(key).as_deref() {
                        Some("user_id") => fields.user_id = Some(value),
                        Some("product_id") => fields.product_id = Some(value),
                        Some("event_type") => fields.event_type = Some(value),
                        Some("timestamp") => fields.timestamp = Some(value),
                        _ => {}
                    }
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}

/// The meaning of a JSON string; `None` for other values and for lone surrogates.
fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    let quoted = value.get();
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(quoted).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

/// The meaning of an id: a string, or the digits of an integer as written.
fn id(value: &RawValue) -> Option<Cow<'_, str>> {
    let text = match value.get().as_bytes().first()? {
        b'"' => string(value)?,
        b'-' | b'0'..=b'9' if !value.get().contains(['.', 'e', 'E']) => Cow::Borrowed(value.get()),
        _ => return None,
    };
    is_id(&text).then_some(text)
}

/// Whether there are enough brackets for that, wherever they stand.
fn may_be_too_deep(record: &[u8]) -> bool {
    record.iter().filter(|byte| matches!(byte, b'{' | b'[')).count() > MAX_NESTING
}

/// How deep objects and arrays are nested in a valid JSON text.
fn nesting(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth -= 1,
            _ => {}
        }
    }
    deepest
}
