//! The decoder: bytes of a record to a [`RawEvent`], or the [`Reason`] why they are none.
//!
//! There are two paths with one meaning. [`FastDecoder`] recognises the layout in which nearly all
//! records are written and reads it in one pass; [`decode_general`] reads any JSON and alone knows how to
//! refuse. What the fast path accepts, the general path accepts with the same result.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use wide::i8x16;

use crate::time::TimeReader;
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
    match FastDecoder::default().decode(record).and_then(EventView::to_event) {
        Some(event) => Ok(event),
        None => decode_general(record),
    }
}

/// Reads records that have the common layout, one after the other.
///
/// The layout: the fields `user_id`, `product_id`, `event_type`, `timestamp` and at the end, if at all,
/// `metadata`, in this order, without white space, all of them strings without escapes, the metadata an
/// object of such strings. The whole record is validated.
#[derive(Clone, Debug, Default)]
pub struct FastDecoder {
    times: TimeReader,
}

impl FastDecoder {
    /// Reads a record; `None` says nothing about it but that it has not the common layout.
    #[must_use]
    #[inline]
    pub fn decode<'a>(&mut self, record: &'a [u8]) -> Option<EventView<'a>> {
        let (event, rest) = self.decode_prefix(record)?;
        (rest.is_empty() && record.len() <= MAX_RECORD_BYTES).then_some(event)
    }

    /// Reads the record at the beginning of `lines` without looking for its end before; returns its length, without the
    /// line end, as well. `None` says that it has not the common layout, is too long, or is not followed by a line end.
    #[must_use]
    #[inline]
    pub fn decode_line<'a>(&mut self, lines: &'a [u8]) -> Option<(EventView<'a>, usize)> {
        let (event, rest) = self.decode_prefix(lines)?;
        let len = lines.len() - rest.len();
        (rest.first() == Some(&b'\n') && len <= MAX_RECORD_BYTES).then_some((event, len))
    }

    // Always: what is found stays in registers on its way to the caller.
    #[inline(always)]
    fn decode_prefix<'a>(&mut self, bytes: &'a [u8]) -> Option<(EventView<'a>, &'a [u8])> {
        let mut cursor = Cursor { rest: bytes, last: bytes.last_chunk()? };
        cursor.skip(br#"{"user_id":""#)?;
        let user_id = cursor.plain_id()?;
        cursor.skip(br#"","product_id":""#)?;
        let product_id = cursor.plain_id()?;
        cursor.skip(br#"","event_type":""#)?;
        let event_type = cursor.plain_id()?;
        cursor.skip(br#"","timestamp":""#)?;
        let timestamp = cursor.time(&mut self.times)?;
        if cursor.skip(br#"","metadata":{"#).is_some() {
            cursor.plain_fields()?;
            cursor.skip(b"}")?;
        } else {
            cursor.skip(br#""}"#)?;
        }
        Some((EventView { user_id, product_id, event_type, timestamp }, cursor.rest))
    }
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

/// The places, as bits, of those of sixteen bytes that are not printable ASCII (or DEL), or are a quote or a backslash.
#[inline]
fn stops_of(lanes: &[u8; 16]) -> u32 {
    let lanes = i8x16::new(lanes.map(u8::cast_signed));
    let is = |byte: u8| lanes.simd_eq(i8x16::splat(byte.cast_signed()));
    // As signed numbers, what is not ASCII lies below the control characters.
    (lanes.simd_lt(i8x16::splat(0x20)) | is(b'"') | is(b'\\')).to_bitmask()
}

/// A reader of JSON without white space and escapes, by what is left to read.
struct Cursor<'a> {
    rest: &'a [u8],
    /// The last bytes of what is read.
    last: &'a [u8; 16],
}

impl<'a> Cursor<'a> {
    #[inline]
    fn skip<const N: usize>(&mut self, expected: &[u8; N]) -> Option<()> {
        // A known length makes this a comparison of words, not a call.
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        (head == expected).then(|| self.rest = rest)
    }

    /// A text without escapes and control characters, up to a quote.
    #[inline(always)]
    fn plain(&mut self) -> Option<&'a [u8]> {
        let mut len = 0;
        loop {
            let ahead = self.rest.get(len..)?;
            let stops = match ahead.first_chunk() {
                Some(lanes) => stops_of(lanes),
                // The last sixteen overlap with what was read before.
                None => stops_of(self.last) >> (16 - ahead.len()),
            };
            if stops != 0 {
                len += stops.trailing_zeros() as usize;
                break;
            }
            len += 16;
        }
        let (text, rest) = self.rest.split_at_checked(len)?;
        if rest.first() != Some(&b'"') {
            return self.plain_beyond_ascii();
        }
        self.rest = rest;
        Some(text)
    }

    #[cold]
    fn plain_beyond_ascii(&mut self) -> Option<&'a [u8]> {
        let is_stop = |byte: &u8| matches!(byte, 0..0x20 | b'"' | b'\\');
        let (text, rest) = self.rest.split_at(self.rest.iter().position(is_stop)?);
        std::str::from_utf8(text).ok()?;
        self.rest = rest;
        rest.starts_with(b"\"").then_some(text)
    }

    #[inline]
    fn plain_id(&mut self) -> Option<&'a [u8]> {
        self.plain().filter(|id| (1..=MAX_ID_BYTES).contains(&id.len()))
    }

    #[inline(always)]
    fn time(&mut self, times: &mut TimeReader) -> Option<EventTime> {
        // Nearly all have this length, and whatever is such a time has neither quotes nor escapes.
        if let Some((text, rest)) = self.rest.split_first_chunk()
            && let Some(time) = times.read(text)
        {
            self.rest = rest;
            return Some(time);
        }
        EventTime::parse(self.plain()?).ok()
    }

    /// The rest of an object whose values are plain strings.
    #[inline(always)]
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
