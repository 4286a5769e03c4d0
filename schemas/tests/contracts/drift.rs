//! Outputs: schema and Rust type accept the same values, whichever of them changes first.
//!
//! [`beyond_schema`] is the whole list of what a schema lets through and Rust refuses.

use chrono::{DateTime, TimeDelta};
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::fixtures::{CONTRACTS, cases, schema_accepts};
use crate::generators::output;
use crate::mutations::{apply, mutations};

/// Whether a value that the schema accepts breaks a rule that JSON Schema cannot express.
fn beyond_schema(contract: &str, value: &Value) -> bool {
    let Some(fields) = value.as_object() else { return false };
    integer_is_written_as_a_float(fields)
        || id_is_too_long_in_bytes(fields)
        || day_is_not_in_the_calendar(fields)
        || (fields.contains_key("window_end") && window_is_not_a_minute(fields))
        || (contract == "order-event" && order_contradicts_itself(fields))
}

fn integer_is_written_as_a_float(fields: &Map<String, Value>) -> bool {
    fields.values().any(Value::is_f64)
}

fn id_is_too_long_in_bytes(fields: &Map<String, Value>) -> bool {
    let mut ids = fields.iter().filter(|(name, _)| name.ends_with("_id"));
    ids.any(|(_, id)| id.as_str().is_some_and(|id| id.len() > 256))
}

fn day_is_not_in_the_calendar(fields: &Map<String, Value>) -> bool {
    let mut times = ["window_start", "window_end", "timestamp", "created_at", "watermark", "processed_at"]
        .into_iter()
        .filter_map(|name| fields.get(name)?.as_str());
    times.any(|time| time != "10000-01-01T00:00:00Z" && DateTime::parse_from_rfc3339(time).is_err())
}

fn window_is_not_a_minute(fields: &Map<String, Value>) -> bool {
    let time = |name: &str| DateTime::parse_from_rfc3339(fields[name].as_str()?).ok();
    match (time("window_start"), time("window_end")) {
        (Some(start), Some(end)) => end - start != TimeDelta::minutes(1),
        _ => fields["window_start"] != "9999-12-31T23:59:00Z",
    }
}

fn order_contradicts_itself(fields: &Map<String, Value>) -> bool {
    // The schema has made sure of the form: digits, perhaps a point, digits.
    let price = |name: &str| -> Option<(i64, usize)> {
        let text = fields[name].as_str()?;
        let digits = text.split_once('.').map_or(0, |(_, part)| part.len());
        Some((text.replace('.', "").parse().ok()?, digits))
    };
    let (Some((unit, unit_digits)), Some((total, total_digits))) = (price("unit_price"), price("total_price")) else {
        return true;
    };
    let product = i128::from(unit) * i128::from(fields["quantity"].as_u64().unwrap_or(0));
    unit_digits != total_digits || product != i128::from(total) || fields["user_id"] != fields["customer_id"]
}

#[test]
fn what_rust_writes_the_schema_accepts_and_rust_reads_back() {
    for contract in CONTRACTS.iter().filter(|contract| contract.name != "raw-event") {
        proptest!(cases(400), |((value, text) in output(contract.name))| {
            prop_assert!(schema_accepts(contract.name, &value), "{}: {text}", contract.name);
            prop_assert_eq!((contract.read)(text.as_bytes()), Ok(Some(value)));
        });
    }
}

#[test]
fn schema_and_rust_accept_the_same_mutants_and_rust_writes_them_back_as_they_were() {
    for contract in CONTRACTS.iter().filter(|contract| contract.name != "raw-event") {
        proptest!(cases(2000), |((mut value, _) in output(contract.name), mutations in mutations())| {
            apply(&mut value, &mutations);
            let by_rust = (contract.read)(value.to_string().as_bytes());
            let by_schema = schema_accepts(contract.name, &value) && !beyond_schema(contract.name, &value);
            prop_assert_eq!(by_rust.is_ok(), by_schema, "{}: {} Rust says {:?}", contract.name, value, by_rust);
            if let Ok(written) = by_rust {
                prop_assert_eq!(written, Some(value));
            }
        });
    }
}
