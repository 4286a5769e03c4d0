//! Counts as a CSV file (RFC 4180), for spreadsheets.

use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use csv::{Terminator, WriterBuilder};
use service_kit::Problem;

use super::row::{COLUMNS, WindowCount};

/// The media type.
pub(super) const MEDIA_TYPE: &str = "text/csv";

pub(super) fn answer(rows: &[WindowCount]) -> Result<Response, Problem> {
    let mut file = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    file.write_record(COLUMNS).map_err(Problem::internal)?;
    for row in rows {
        file.write_record(row.columns()).map_err(Problem::internal)?;
    }
    let file = file.into_inner().map_err(Problem::internal)?;
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present")], file).into_response())
}
