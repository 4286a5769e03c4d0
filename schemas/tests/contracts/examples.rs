//! Every example payload is judged by its schema and by its Rust type.

use std::collections::BTreeSet;

use schemas::Reason;
use serde_json::Value;

use crate::fixtures::{CONTRACTS, OWNERS_EVENT, examples, json_folder, judge, schema, schema_accepts};

/// A payload that is not even a JSON value to a schema validator is refused by it.
fn schema_accepts_bytes(name: &str, payload: &[u8]) -> bool {
    serde_json::from_slice(payload).is_ok_and(|value| schema_accepts(name, &value))
}

#[test]
fn valid_examples_are_accepted_by_schema_and_rust() {
    for contract in CONTRACTS {
        for (file, payload) in examples(contract.name, "valid") {
            assert!(schema_accepts_bytes(contract.name, &payload), "{}: the schema refuses {file}", contract.name);
            let read = (contract.read)(&payload);
            assert!(read.is_ok(), "{}: Rust refuses {file}: {read:?}", contract.name);
        }
    }
}

#[test]
fn valid_outputs_are_written_back_as_the_same_value() {
    for contract in CONTRACTS.iter().filter(|contract| contract.name != "raw-event") {
        for (file, payload) in examples(contract.name, "valid") {
            let value: Value = serde_json::from_slice(&payload).unwrap();
            assert_eq!((contract.read)(&payload), Ok(Some(value)), "{}: {file}", contract.name);
        }
    }
}

#[test]
fn invalid_examples_are_refused_by_schema_and_rust() {
    for contract in CONTRACTS {
        for (file, payload) in examples(contract.name, "invalid") {
            assert!((contract.read)(&payload).is_err(), "{}: Rust accepts {file}", contract.name);
            assert!(!schema_accepts_bytes(contract.name, &payload), "{}: the schema accepts {file}", contract.name);
        }
    }
}

/// `invalid-beyond-schema` holds the rules that a schema's `$comment` lists: if a schema learns to express one, the
/// example moves to `invalid`.
#[test]
fn examples_beyond_the_schema_are_refused_by_rust_alone() {
    for contract in CONTRACTS {
        for (file, payload) in examples(contract.name, "invalid-beyond-schema") {
            assert!((contract.read)(&payload).is_err(), "{}: Rust accepts {file}", contract.name);
            assert!(schema_accepts_bytes(contract.name, &payload), "{}: the schema refuses {file}", contract.name);
        }
    }
}

#[test]
fn invalid_raw_events_have_the_reason_that_their_file_name_begins_with() {
    let mut seen = BTreeSet::new();
    for kind in ["invalid", "invalid-beyond-schema"] {
        for (file, payload) in examples("raw-event", kind) {
            let (code, _) = file.split_once("--").unwrap();
            let reason = judge(&payload).unwrap_err();
            assert_eq!(reason.code(), code, "{file}");
            seen.insert(reason);
        }
    }
    // A record of 64 KiB is built by a test; whether an event is in the future is not decided by its bytes.
    let without_file = BTreeSet::from([Reason::TooLarge, Reason::Future]);
    let unseen: BTreeSet<_> = Reason::ALL.into_iter().filter(|reason| !seen.contains(reason)).collect();
    assert_eq!(unseen, without_file);
}

#[test]
fn the_owners_event_is_an_example_to_the_byte() {
    let owners = examples("raw-event", "valid").into_iter().find(|(file, _)| file == "the-owners-example.json");
    assert_eq!(owners.unwrap().1, format!("{OWNERS_EVENT}\n").into_bytes());
}

#[test]
fn schemas_are_valid_and_carry_their_own_name() {
    for contract in CONTRACTS {
        let schema = schema(contract.name);
        assert!(jsonschema::meta::is_valid(&schema), "{}", contract.name);
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["$id"], format!("urn:footfall:schema:{}", contract.name));
        for annotation in ["title", "description", "$comment"] {
            assert!(schema[annotation].is_string(), "{}: no {annotation}", contract.name);
        }
        for (field, property) in schema["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{}: no description of {field}", contract.name);
        }
    }
}

#[test]
fn outputs_are_closed_and_raw_events_are_open() {
    for contract in CONTRACTS {
        let open = contract.name == "raw-event";
        assert_eq!(schema(contract.name)["additionalProperties"], open, "{}", contract.name);
    }
}

#[test]
fn every_schema_file_and_every_folder_of_examples_has_a_contract() {
    let names = |folder: &str, suffix: &str| -> BTreeSet<String> {
        std::fs::read_dir(json_folder().join(folder))
            .unwrap()
            .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(suffix)?.to_owned()))
            .collect()
    };
    let contracts: BTreeSet<_> = CONTRACTS.iter().map(|contract| contract.name.to_owned()).collect();
    assert_eq!(names(".", ".schema.json"), contracts);
    assert_eq!(names("examples", ""), contracts);
}
