//! Events, rows and generated streams.

use std::io::Write;

use flate2::write::GzEncoder;

use crate::harness::Place;

/// A valid event of 2024-01-01 as one line without its end; `time` is `HH:MM:SS`.
pub(crate) fn event(user: &str, product: &str, time: &str) -> String {
    format!(
        r#"{{"user_id":"{user}","product_id":"{product}","event_type":"VIEW_PRODUCT","timestamp":"2024-01-01T{time}Z"}}"#
    )
}

/// Such an event that is exactly `len` bytes long.
pub(crate) fn event_of_length(len: usize) -> String {
    let mut event = event("u1", "42", "12:00:00");
    event.truncate(event.len() - 1);
    let padding = len - event.len() - r#","metadata":""}"#.len();
    format!(r#"{event},"metadata":"{}"}}"#, "x".repeat(padding))
}

/// The row of a product in the minute that begins at 12:`minute`.
pub(crate) fn row(product: &str, minute: u32, users: u32) -> String {
    format!(
        "{{\"product_id\":\"{product}\",\"window_start\":\"2024-01-01T12:{minute:02}:00Z\",\
         \"window_end\":\"2024-01-01T12:{:02}:00Z\",\"unique_user_count\":{users},\"revision\":0}}\n",
        minute + 1
    )
}

/// Events that close the first minute, and leave the last open until the input ends.
pub(crate) fn three_events() -> String {
    [event("u1", "42", "12:00:00"), event("u2", "42", "12:00:30"), event("u1", "7", "12:01:40")].join("\n") + "\n"
}

/// The rows of [`three_events`].
pub(crate) fn three_events_rows() -> String {
    row("42", 0, 2) + &row("7", 1, 1)
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).expect("memory takes bytes");
    encoder.finish().expect("memory takes bytes")
}

pub(crate) fn zstandard(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 1).expect("memory takes bytes")
}

/// Eight unequal files in `events/` with some of everything, and their answer key in `answers`.
pub(crate) fn generated(place: &Place, more: &[&str]) {
    let flags = [
        "generate",
        "--to",
        "ndjson:events",
        "--answers",
        "answers",
        "--events",
        "12000",
        "--duration",
        "8m",
        "--partitions",
        "8",
        "--partition-skew",
        "0.5",
        "--late-share",
        "0.03",
        "--malformed-share",
        "0.03",
        "--products",
        "40",
        "--users",
        "300",
    ];
    place.dataflow(flags.iter().chain(more)).run().succeeds();
    assert!(!place.read("answers").is_empty());
}
