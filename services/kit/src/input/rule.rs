//! What values must be like.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use schemas::Money;

use super::{FieldCode, RawValue, Refusal};
use crate::Id;

/// A string of so many characters, without NUL, which PostgreSQL cannot store.
pub fn text(length: RangeInclusive<usize>) -> impl FnOnce(&RawValue) -> Result<String, Refusal> {
    move |value| {
        let text = string(value)?;
        check_length(&text, &length)?;
        Ok(text.into_owned())
    }
}

/// An integer, written without a fraction.
pub fn integer(range: RangeInclusive<i64>) -> impl FnOnce(&RawValue) -> Result<i64, Refusal> {
    move |value| {
        let json = value.get();
        if !json.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            return Err(Refusal::new(FieldCode::WrongType, "must be an integer"));
        }
        if json.contains(['.', 'e', 'E']) {
            return Err(Refusal::new(FieldCode::InvalidFormat, format!("is {json}; it must be a whole number")));
        }
        let (least, most) = (*range.start(), *range.end());
        let must = format!("is {json}; it must be from {least} to {most}");
        match json.parse::<i64>() {
            Ok(number) if number < least => Err(Refusal::new(FieldCode::BelowMinimum, must)),
            Ok(number) if number <= most => Ok(number),
            Err(_) if json.starts_with('-') => Err(Refusal::new(FieldCode::BelowMinimum, must)),
            _ => Err(Refusal::new(FieldCode::AboveMaximum, must)),
        }
    }
}

/// An amount of money from 0 up in a currency of so many digits: a string, or a number read from its literal.
pub fn money(digits: u8) -> impl FnOnce(&RawValue) -> Result<Money, Refusal> {
    move |value| {
        let text = match value.get().as_bytes().first() {
            Some(b'"') => string(value)?,
            Some(b'-' | b'0'..=b'9') => Cow::Borrowed(value.get()),
            _ => return Err(Refusal::new(FieldCode::WrongType, "must be an amount such as \"19.99\"")),
        };
        let amount: Money = text.parse().map_err(|_| {
            Refusal::new(FieldCode::InvalidFormat, format!("is {text:?}; it must be an amount such as \"19.99\""))
        })?;
        let amount = amount.with_digits(digits).ok_or_else(|| {
            let detail = format!("is {text:?}; the currency has {digits} decimal digits and amounts below 10^16");
            Refusal::new(FieldCode::TooManyDigits, detail)
        })?;
        if amount.minor_units() < 0 {
            return Err(Refusal::new(FieldCode::BelowMinimum, format!("is {text:?}; it must not be below 0")));
        }
        Ok(amount)
    }
}

/// The id of something: a string of digits, or the integer.
pub fn id(value: &RawValue) -> Result<Id, Refusal> {
    let text = if value.get().starts_with('"') { string(value)? } else { Cow::Borrowed(value.get()) };
    text.parse().map_err(|what| Refusal::new(FieldCode::InvalidFormat, format!("is {text:?}: {what}")))
}

fn string(value: &RawValue) -> Result<Cow<'_, str>, Refusal> {
    if !value.get().starts_with('"') {
        return Err(Refusal::new(FieldCode::WrongType, "must be a string"));
    }
    let text: Text<'_> = serde_json::from_str(value.get()).map_err(|_| {
        Refusal::new(FieldCode::InvalidFormat, "has half a surrogate pair, which is no character; send whole ones")
    })?;
    if text.0.contains('\0') {
        return Err(Refusal::new(FieldCode::InvalidFormat, "has a NUL character; leave it out"));
    }
    Ok(text.0)
}

/// Borrows where nothing is escaped.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Refuses a text of fewer or more characters.
///
/// # Errors
/// How many it has, and may have.
pub fn check_length(text: &str, length: &RangeInclusive<usize>) -> Result<(), Refusal> {
    let (count, least, most) = (text.chars().count(), *length.start(), *length.end());
    let code = match count {
        _ if count < least => FieldCode::TooShort,
        _ if count > most => FieldCode::TooLong,
        _ => return Ok(()),
    };
    Err(Refusal::new(code, format!("has {count} characters; it must have {least} to {most}")))
}
