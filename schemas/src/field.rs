//! Why a field of a request, a row of a CSV file or a whole file was refused.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::Reason;

/// What is wrong with one field: a closed list, shared by the services, the gateway and the Lambdas.
///
/// The reasons for which events are rejected are part of it, so that a client reads one list of codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldCode {
    /// The field must be there.
    Required,
    /// There is no such field, or query parameter.
    Unknown,
    /// The field is there more than once.
    Duplicate,
    /// The value is of another JSON type.
    WrongType,
    /// The value is not written as its kind demands.
    InvalidFormat,
    /// The text has too few characters, or the list too few items.
    TooShort,
    /// The text has too many characters, or the list too many items.
    TooLong,
    /// The number is below the least one allowed.
    BelowMinimum,
    /// The number is above the greatest one allowed.
    AboveMaximum,
    /// The amount has more decimal digits than the currency.
    TooManyDigits,
    /// Fields contradict each other.
    Conflict,
    /// It names something that is not there.
    NotFound,
    /// It is not the present password.
    WrongPassword,
    /// The row has more or fewer cells than the header.
    WrongColumnCount,
    /// The row is the same as an earlier one of the file.
    DuplicateRow,
    /// A quote is opened and never closed.
    UnclosedQuote,
    /// The file has no row at all, not even a header.
    EmptyFile,
    /// The header lacks a column that every row needs.
    MissingColumn,
    /// The header has a column twice.
    DuplicateColumn,
    /// The import could not go on to the file's end.
    Interrupted,
    /// The event would not be counted, for this reason.
    Event(Reason),
}

impl FieldCode {
    /// Every code of fields of requests.
    pub const FIELDS: [FieldCode; 13] = [
        FieldCode::Required,
        FieldCode::Unknown,
        FieldCode::Duplicate,
        FieldCode::WrongType,
        FieldCode::InvalidFormat,
        FieldCode::TooShort,
        FieldCode::TooLong,
        FieldCode::BelowMinimum,
        FieldCode::AboveMaximum,
        FieldCode::TooManyDigits,
        FieldCode::Conflict,
        FieldCode::NotFound,
        FieldCode::WrongPassword,
    ];

    /// Every code of rows of a CSV file and of the file as a whole, beside those of [fields](Self::FIELDS): two are shared with
    /// events.
    pub const FILES: [FieldCode; 9] = [
        FieldCode::Event(Reason::NotUtf8),
        FieldCode::WrongColumnCount,
        FieldCode::DuplicateRow,
        FieldCode::UnclosedQuote,
        FieldCode::EmptyFile,
        FieldCode::MissingColumn,
        FieldCode::DuplicateColumn,
        FieldCode::Event(Reason::TooLarge),
        FieldCode::Interrupted,
    ];

    /// The code as clients and error files have it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            FieldCode::Required => "required",
            FieldCode::Unknown => "unknown",
            FieldCode::Duplicate => "duplicate",
            FieldCode::WrongType => "wrong_type",
            FieldCode::InvalidFormat => "invalid_format",
            FieldCode::TooShort => "too_short",
            FieldCode::TooLong => "too_long",
            FieldCode::BelowMinimum => "below_minimum",
            FieldCode::AboveMaximum => "above_maximum",
            FieldCode::TooManyDigits => "too_many_digits",
            FieldCode::Conflict => "conflict",
            FieldCode::NotFound => "not_found",
            FieldCode::WrongPassword => "wrong_password",
            FieldCode::WrongColumnCount => "wrong_column_count",
            FieldCode::DuplicateRow => "duplicate_row",
            FieldCode::UnclosedQuote => "unclosed_quote",
            FieldCode::EmptyFile => "empty_file",
            FieldCode::MissingColumn => "missing_column",
            FieldCode::DuplicateColumn => "duplicate_column",
            FieldCode::Interrupted => "interrupted",
            FieldCode::Event(reason) => reason.code(),
        }
    }
}

impl fmt::Display for FieldCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for FieldCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_of_fields_events_and_files_are_one_list_without_doubles() {
        let codes = || {
            let events = Reason::ALL.map(FieldCode::Event);
            FieldCode::FIELDS.into_iter().chain(events).chain(FieldCode::FILES)
        };
        let variants: HashSet<FieldCode> = codes().collect();
        let texts: HashSet<_> = codes().map(FieldCode::code).collect();
        assert_eq!(texts.len(), variants.len());
    }
}
