//! Why a record was not counted.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a record was rejected: a closed list, shared by the job, the gateway and the Lambdas.
///
/// The order is the order of judgement: a record with several faults has the first one as its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The value is absent (a Kafka null) or has no bytes.
    Empty,
    /// The record is longer than [`MAX_RECORD_BYTES`](crate::MAX_RECORD_BYTES).
    TooLarge,
    /// The record is not UTF-8.
    NotUtf8,
    /// The record is not one JSON value with nothing after it (RFC 8259).
    NotJson,
    /// The record is JSON, but not an object.
    NotAnObject,
    /// Objects and arrays are nested deeper than [`MAX_NESTING`](crate::MAX_NESTING).
    TooDeep,
    /// There is no `user_id`.
    MissingUserId,
    /// `user_id` is no string or integer of 1..=256 bytes.
    InvalidUserId,
    /// There is no `product_id`.
    MissingProductId,
    /// `product_id` is no string or integer of 1..=256 bytes.
    InvalidProductId,
    /// There is no `event_type`.
    MissingEventType,
    /// `event_type` is no string of 1..=256 bytes.
    InvalidEventType,
    /// There is no `timestamp`.
    MissingTimestamp,
    /// `timestamp` is no string with an RFC 3339 time between 1970 and 9999.
    InvalidTimestamp,
    /// The event is dated further ahead of its arrival than allowed.
    Future,
}

impl Reason {
    /// Every reason, in the order of judgement.
    pub const ALL: [Reason; 15] = [
        Reason::Empty,
        Reason::TooLarge,
        Reason::NotUtf8,
        Reason::NotJson,
        Reason::NotAnObject,
        Reason::TooDeep,
        Reason::MissingUserId,
        Reason::InvalidUserId,
        Reason::MissingProductId,
        Reason::InvalidProductId,
        Reason::MissingEventType,
        Reason::InvalidEventType,
        Reason::MissingTimestamp,
        Reason::InvalidTimestamp,
        Reason::Future,
    ];

    /// The reason's code, as written in envelopes, headers, metric labels and API answers.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Reason::Empty => "empty",
            Reason::TooLarge => "too_large",
            Reason::NotUtf8 => "not_utf8",
            Reason::NotJson => "not_json",
            Reason::NotAnObject => "not_an_object",
            Reason::TooDeep => "too_deep",
            Reason::MissingUserId => "missing_user_id",
            Reason::InvalidUserId => "invalid_user_id",
            Reason::MissingProductId => "missing_product_id",
            Reason::InvalidProductId => "invalid_product_id",
            Reason::MissingEventType => "missing_event_type",
            Reason::InvalidEventType => "invalid_event_type",
            Reason::MissingTimestamp => "missing_timestamp",
            Reason::InvalidTimestamp => "invalid_timestamp",
            Reason::Future => "future",
        }
    }

    /// Where in the record the fault lies, as an RFC 6901 JSON pointer; empty for the record as a whole.
    #[must_use]
    pub const fn pointer(self) -> &'static str {
        match self {
            Reason::Empty
            | Reason::TooLarge
            | Reason::NotUtf8
            | Reason::NotJson
            | Reason::NotAnObject
            | Reason::TooDeep => "",
            Reason::MissingUserId | Reason::InvalidUserId => "/user_id",
            Reason::MissingProductId | Reason::InvalidProductId => "/product_id",
            Reason::MissingEventType | Reason::InvalidEventType => "/event_type",
            Reason::MissingTimestamp | Reason::InvalidTimestamp | Reason::Future => "/timestamp",
        }
    }

    /// What is wrong and what would be right, in one sentence for people.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        match self {
            Reason::Empty => "the record has no value; send one JSON object",
            Reason::TooLarge => "the record is longer than 65536 bytes; send less metadata",
            Reason::NotUtf8 => "the record is not UTF-8; encode it as UTF-8",
            Reason::NotJson => {
                "the record is not one JSON value with nothing after it; send one JSON object per record"
            }
            Reason::NotAnObject => {
                "the record is not a JSON object; send one with user_id, product_id, event_type and timestamp"
            }
            Reason::TooDeep => "the record nests objects and arrays deeper than 128; flatten its metadata",
            Reason::MissingUserId => "user_id is missing; it is required",
            Reason::InvalidUserId => "user_id is not a string or integer of 1 to 256 bytes",
            Reason::MissingProductId => "product_id is missing; it is required",
            Reason::InvalidProductId => "product_id is not a string or integer of 1 to 256 bytes",
            Reason::MissingEventType => "event_type is missing; it is required",
            Reason::InvalidEventType => "event_type is not a string of 1 to 256 bytes",
            Reason::MissingTimestamp => "timestamp is missing; it is required",
            Reason::InvalidTimestamp => {
                "timestamp is not an RFC 3339 time with seconds and offset between the years 1970 and 9999, such as 2024-01-01T12:00:00Z"
            }
            Reason::Future => "timestamp lies further in the future than allowed; check the sender's clock",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
