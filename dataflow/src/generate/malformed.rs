//! Records that are no valid events: the faults that senders really have, each with the one reason it must be
//! rejected for.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use schemas::{MAX_ID_BYTES, MAX_NESTING, MAX_RECORD_BYTES, Reason};

use super::layout::{self, Event, TimeWriter};

/// A way in which a record is no valid event.
#[derive(Clone, Copy)]
enum Fault {
    /// The sender died while it wrote.
    Truncated,
    /// Two records, one line end.
    TwoInOne,
    /// Another character set.
    NotUtf8,
    /// A batch of one.
    Array,
    /// A heartbeat that went to the wrong topic.
    EmptyObject,
    /// A field is not there.
    Missing(Field),
    /// A field has a value that it cannot have.
    Invalid(Field),
    /// Something unbounded was put into the metadata.
    TooLarge,
    /// Something recursive was put into the metadata.
    TooDeep,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    UserId,
    ProductId,
    EventType,
    Timestamp,
}

/// The faults and how often they occur among a thousand. There is no empty record: in a file it would be a blank
/// line, which is no record at all.
const FAULTS: [(Fault, u32); 15] = [
    (Fault::Truncated, 200),
    (Fault::TwoInOne, 50),
    (Fault::NotUtf8, 100),
    (Fault::Array, 50),
    (Fault::EmptyObject, 50),
    (Fault::Missing(Field::UserId), 150),
    (Fault::Missing(Field::ProductId), 40),
    (Fault::Missing(Field::EventType), 30),
    (Fault::Missing(Field::Timestamp), 30),
    (Fault::Invalid(Field::UserId), 60),
    (Fault::Invalid(Field::ProductId), 60),
    (Fault::Invalid(Field::EventType), 25),
    (Fault::Invalid(Field::Timestamp), 150),
    (Fault::TooLarge, 2),
    (Fault::TooDeep, 3),
];

/// Appends a record that was to say `event` and went wrong; returns the reason it must be rejected for.
pub(super) fn write(event: &Event, random: &mut ChaCha8Rng, times: &mut TimeWriter, value: &mut Vec<u8>) -> Reason {
    match draw_fault(random) {
        Fault::Truncated => {
            layout::write_common(event, times, value);
            // Shorter than the whole, so that the object never ends.
            value.truncate(random.random_range(1..value.len() as u64) as usize);
            Reason::NotJson
        }
        Fault::TwoInOne => {
            layout::write_common(event, times, value);
            layout::write_common(event, times, value);
            Reason::NotJson
        }
        Fault::NotUtf8 => {
            // A user id in Latin-1: é, followed by a digit.
            layout::write_common(event, times, value);
            value[br#"{"user_id":""#.len()] = 0xe9;
            Reason::NotUtf8
        }
        Fault::Array => {
            value.push(b'[');
            layout::write_common(event, times, value);
            value.push(b']');
            Reason::NotAnObject
        }
        Fault::EmptyObject => {
            value.extend_from_slice(b"{}");
            Reason::MissingUserId
        }
        Fault::Missing(field) => {
            push_event_with(event, field, None, value);
            missing(field)
        }
        Fault::Invalid(field) => {
            let json = invalid_value(field, random);
            push_event_with(event, field, Some(&json), value);
            invalid(field)
        }
        Fault::TooLarge => {
            layout::write_common(event, times, value);
            push_field(&format!(r#""note":"{}""#, "x".repeat(MAX_RECORD_BYTES)), value);
            Reason::TooLarge
        }
        Fault::TooDeep => {
            let (open, close) = ("[".repeat(MAX_NESTING), "]".repeat(MAX_NESTING));
            layout::write_common(event, times, value);
            push_field(&format!(r#""path":{open}{close}"#), value);
            Reason::TooDeep
        }
    }
}

fn draw_fault(random: &mut ChaCha8Rng) -> Fault {
    let total: u32 = FAULTS.iter().map(|(_, weight)| weight).sum();
    let mut left = random.random_range(0..total);
    for (fault, weight) in FAULTS {
        if left < weight {
            return fault;
        }
        left -= weight;
    }
    Fault::EmptyObject
}

/// A JSON value that the field cannot have.
fn invalid_value(field: Field, random: &mut ChaCha8Rng) -> String {
    const NO_ID: [&str; 9] =
        [r#""""#, "null", "true", "42.0", "1e3", r#"{"id":"7"}"#, r#"["7"]"#, r#""\ud800""#, "too long"];
    const NO_EVENT_TYPE: [&str; 5] = [r#""""#, "null", "3", "false", "too long"];
    const NO_TIME: [&str; 9] = [
        "1704110400000",
        "null",
        r#""""#,
        r#""yesterday""#,
        r#""2024-01-01 12:00:00Z""#,
        r#""2024-01-01T12:00:00""#,
        r#""2024-01-01T12:00Z""#,
        r#""2024-02-30T12:00:00Z""#,
        r#""2024-01-01T12:00:60Z""#,
    ];
    let values: &[&str] = match field {
        Field::UserId | Field::ProductId => &NO_ID,
        Field::EventType => &NO_EVENT_TYPE,
        Field::Timestamp => &NO_TIME,
    };
    match values.choose(random) {
        Some(&"too long") => format!(r#""{}""#, "7".repeat(MAX_ID_BYTES + 1)),
        Some(&json) => json.into(),
        None => "null".into(),
    }
}

const fn missing(field: Field) -> Reason {
    match field {
        Field::UserId => Reason::MissingUserId,
        Field::ProductId => Reason::MissingProductId,
        Field::EventType => Reason::MissingEventType,
        Field::Timestamp => Reason::MissingTimestamp,
    }
}

const fn invalid(field: Field) -> Reason {
    match field {
        Field::UserId => Reason::InvalidUserId,
        Field::ProductId => Reason::InvalidProductId,
        Field::EventType => Reason::InvalidEventType,
        Field::Timestamp => Reason::InvalidTimestamp,
    }
}

/// Appends the event with another value of one field, or without it.
fn push_event_with(event: &Event, field: Field, json: Option<&str>, value: &mut Vec<u8>) {
    let fields = [
        (Field::UserId, "user_id", format!(r#""u{}""#, event.user)),
        (Field::ProductId, "product_id", format!(r#""{}""#, event.product)),
        (Field::EventType, "event_type", format!(r#""{}""#, event.event_type)),
        (Field::Timestamp, "timestamp", format!(r#""{}""#, event.time)),
    ];
    value.push(b'{');
    for (this, key, right) in fields {
        let written = if this == field { json } else { Some(right.as_str()) };
        if let Some(written) = written {
            value.extend_from_slice(format!(r#""{key}":{written},"#).as_bytes());
        }
    }
    value.extend_from_slice(format!(r#""metadata":{{"session_id":"{:08x}"}}}}"#, event.session).as_bytes());
}

/// Adds a field to the object that was written last.
fn push_field(field: &str, value: &mut Vec<u8>) {
    value.pop();
    value.push(b',');
    value.extend_from_slice(field.as_bytes());
    value.push(b'}');
}
