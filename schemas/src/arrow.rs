//! The Arrow schema of result rows, for Parquet and its readers.

use arrow_schema::{DataType, Field, Schema, TimeUnit};

use crate::names::attribute;

/// The columns of result rows: windows are UTC timestamps in milliseconds, nothing is nullable.
#[must_use]
pub fn results_arrow_schema() -> Schema {
    let utc_millis = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    Schema::new(vec![
        Field::new(attribute::PRODUCT_ID, DataType::Utf8, false),
        Field::new(attribute::WINDOW_START, utc_millis.clone(), false),
        Field::new(attribute::WINDOW_END, utc_millis, false),
        Field::new(attribute::UNIQUE_USER_COUNT, DataType::UInt64, false),
        Field::new(attribute::REVISION, DataType::UInt64, false),
    ])
}
