//! An independent judge of records: serde_json's `Value`, and the specification written a second time.
//!
//! `Value` knows less than the specification asks for: it stops at 127 levels, at numbers beyond a float and at
//! lone surrogates, and it keeps no digits beyond 64 bits. Such records are not compared here; the tests of the rules
//! name each of these cases.

use chrono::DateTime;
use schemas::{RawEvent, Reason};
use serde_json::{Map, Value};

use crate::fixtures::judge;

type Event = (String, String, String, i64);

/// Asserts that all ways to decode agree and, where the independent judge has an opinion, that they agree with it.
pub(crate) fn compare(record: &[u8]) {
    let decoded = judge(record).map(|RawEvent { user_id, product_id, event_type, timestamp }| {
        (user_id.into_owned(), product_id.into_owned(), event_type.into_owned(), timestamp.millis())
    });
    if let Some(expected) = verdict(record) {
        assert_eq!(decoded, expected, "{}", record.escape_ascii());
    }
}

/// The verdict; `None` where `Value` cannot tell.
fn verdict(record: &[u8]) -> Option<Result<Event, Reason>> {
    if record.is_empty() {
        return Some(Err(Reason::Empty));
    }
    if record.len() > 65_536 {
        return Some(Err(Reason::TooLarge));
    }
    let Ok(text) = str::from_utf8(record) else { return Some(Err(Reason::NotUtf8)) };
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => fields_verdict(&fields),
        Ok(_) => Some(Err(Reason::NotAnObject)),
        Err(error) => {
            let error = error.to_string();
            let unknown =
                ["recursion limit", "number out of range", "lone leading surrogate", "unexpected end of hex escape"];
            (!unknown.iter().any(|known| error.starts_with(known))).then_some(Err(Reason::NotJson))
        }
    }
}

fn fields_verdict(fields: &Map<String, Value>) -> Option<Result<Event, Reason>> {
    let user_id = match id(fields.get("user_id"), Reason::MissingUserId, Reason::InvalidUserId)? {
        Ok(id) => id,
        Err(reason) => return Some(Err(reason)),
    };
    let product_id = match id(fields.get("product_id"), Reason::MissingProductId, Reason::InvalidProductId)? {
        Ok(id) => id,
        Err(reason) => return Some(Err(reason)),
    };
    let event_type = match fields.get("event_type") {
        None => return Some(Err(Reason::MissingEventType)),
        Some(Value::String(text)) if !text.is_empty() && text.len() <= 256 => text.clone(),
        Some(_) => return Some(Err(Reason::InvalidEventType)),
    };
    match fields.get("timestamp") {
        None => Some(Err(Reason::MissingTimestamp)),
        Some(Value::String(text)) => {
            Some(millis(text).map(|millis| (user_id, product_id, event_type, millis)).ok_or(Reason::InvalidTimestamp))
        }
        Some(_) => Some(Err(Reason::InvalidTimestamp)),
    }
}

fn id(field: Option<&Value>, missing: Reason, invalid: Reason) -> Option<Result<String, Reason>> {
    let id = match field {
        None => return Some(Err(missing)),
        Some(Value::String(text)) => text.clone(),
        // The literal is lost: it may have been 42.0, -0 or an integer beyond 64 bits.
        Some(Value::Number(number)) if number.as_f64().is_some_and(|n| number.is_f64() && n.fract() == 0.0) => {
            return None;
        }
        Some(Value::Number(number)) if number.is_f64() => return Some(Err(invalid)),
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => return Some(Err(invalid)),
    };
    Some(if id.is_empty() || id.len() > 256 { Err(invalid) } else { Ok(id) })
}

/// chrono's reading of the time, narrowed to the specification's.
fn millis(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let shape = bytes.len() >= 20 && bytes[..19].iter().all(|byte| byte.is_ascii_digit() || b"-:Tt".contains(byte));
    if !shape || !text.is_ascii() || &text[17..19] == "60" {
        return None;
    }
    let millis = DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis();
    (0..=253_402_300_799_999).contains(&millis).then_some(millis)
}

#[test]
fn the_judge_knows_the_owners_example_and_keeps_silent_where_it_cannot_tell() {
    let expected = ("u123".to_owned(), "42".to_owned(), "VIEW_PRODUCT".to_owned(), 1_704_110_400_000);
    assert_eq!(verdict(crate::fixtures::OWNERS_EVENT.as_bytes()), Some(Ok(expected)));
    for id in ["-0", "42.0", "99999999999999999999", "1e999", r#""\ud800""#, r#""\ud800\u0041""#] {
        assert_eq!(verdict(crate::fixtures::record_with("user_id", id).as_bytes()), None, "{id}");
    }
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    assert_eq!(verdict(crate::fixtures::record_with("metadata", &deep).as_bytes()), None);
}
