//! Schemas, examples and records that the tests share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use jsonschema::Validator;
use proptest::test_runner::Config;
use schemas::quarantine::{LateRecord, RejectedRecord};
use schemas::{ControlItem, FastDecoder, OrderEvent, RawEvent, Reason, ResultRow, TopicRow, decode, decode_general};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The first document's example of a raw event.
pub(crate) const OWNERS_EVENT: &str = r#"{"user_id":"u123","product_id":"42","event_type":"VIEW_PRODUCT","timestamp":"2024-01-01T12:00:00Z","metadata":{"session_id":"abc"}}"#;

/// A contract: its name, and how Rust reads a payload and writes it back (raw events are never written back).
pub(crate) struct Contract {
    pub(crate) name: &'static str,
    pub(crate) read: fn(&[u8]) -> Result<Option<Value>, String>,
}

/// Every contract that has a schema.
pub(crate) const CONTRACTS: [Contract; 7] = [
    Contract { name: "raw-event", read: |bytes| judge(bytes).map(|_| None).map_err(|reason| reason.to_string()) },
    Contract { name: "result-row", read: read_and_write::<ResultRow> },
    Contract { name: "topic-row", read: read_and_write::<TopicRow> },
    Contract { name: "rejected-record", read: read_and_write::<RejectedRecord> },
    Contract { name: "late-record", read: read_and_write::<LateRecord> },
    Contract { name: "order-event", read: read_and_write::<OrderEvent> },
    Contract { name: "control-item", read: read_and_write::<ControlItem> },
];

fn read_and_write<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<Option<Value>, String> {
    let read: T = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    Ok(Some(serde_json::to_value(read).unwrap()))
}

/// An event whose time has the spelling that is remembered, in the minute in which most events of these tests are.
const USUAL_EVENT: &str = r#"{"user_id":"u","product_id":"1","event_type":"V","timestamp":"2024-01-01T12:00:59.999Z"}"#;

/// The verdict on a record, after a check that all ways to decode it agree.
pub(crate) fn judge(record: &[u8]) -> Result<RawEvent<'_>, Reason> {
    let verdict = decode_general(record);
    assert_eq!(decode(record), verdict, "{}", record.escape_ascii());
    let fast = FastDecoder::default().decode(record);
    if let Some(event) = fast {
        assert_eq!(Ok(event), verdict.as_ref().map(RawEvent::view), "{}", record.escape_ascii());
    }
    // Neither what was read before nor what follows matters.
    let mut decoder = FastDecoder::default();
    let _ = decoder.decode(USUAL_EVENT.as_bytes());
    assert_eq!(decoder.decode(record), fast, "{}", record.escape_ascii());
    let lines = [record, b"\n", record].concat();
    let line = decoder.decode_line(&lines).filter(|(_, len)| *len == record.len());
    assert_eq!(line.map(|(event, _)| event), fast, "{}", record.escape_ascii());
    verdict
}

/// A valid record in which `field` is written as `json`.
pub(crate) fn record_with(field: &str, json: &str) -> String {
    let mut fields = BTreeMap::from([
        ("event_type", r#""VIEW_PRODUCT""#),
        ("product_id", r#""42""#),
        ("timestamp", r#""2024-01-01T12:00:00Z""#),
        ("user_id", r#""u123""#),
    ]);
    fields.insert(field, json);
    let fields: Vec<_> = fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

pub(crate) fn json_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("json")
}

/// The text of a contract's schema.
pub(crate) fn schema_text(name: &str) -> String {
    std::fs::read_to_string(json_folder().join(format!("{name}.schema.json"))).unwrap()
}

/// A contract's schema.
pub(crate) fn schema(name: &str) -> Value {
    serde_json::from_str(&schema_text(name)).unwrap()
}

/// Whether a contract's schema accepts a value.
pub(crate) fn schema_accepts(name: &str, value: &Value) -> bool {
    static VALIDATORS: LazyLock<BTreeMap<&str, Validator>> = LazyLock::new(|| {
        CONTRACTS
            .iter()
            .map(|Contract { name, .. }| (*name, jsonschema::validator_for(&schema(name)).unwrap()))
            .collect()
    });
    VALIDATORS[name].is_valid(value)
}

/// The examples of a kind: file names and payloads.
pub(crate) fn examples(name: &str, kind: &str) -> Vec<(String, Vec<u8>)> {
    let folder = json_folder().join("examples").join(name).join(kind);
    let mut examples: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect();
    assert!(!examples.is_empty(), "no examples in {}", folder.display());
    examples.sort();
    examples
}

/// How property tests run: that many cases; a failure becomes a named case in the code, not a file of seeds.
pub(crate) fn cases(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}
