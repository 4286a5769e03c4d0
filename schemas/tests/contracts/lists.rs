//! Lists that stand both in a schema and in Rust are equal.

use std::collections::BTreeSet;

use schemas::names::{self, attribute, control, header};
use schemas::quarantine::Late;
use schemas::{OrderEventType, OrderStatus, Reason, results_arrow_schema};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor, value::Error};
use serde_json::Value;

use crate::fixtures::{CONTRACTS, schema, schema_text};

/// The words of a Rust enum, in the order of declaration, as its own serde form states them.
fn words<T: for<'de> Deserialize<'de>>() -> Vec<&'static str> {
    struct Ask<'a>(&'a mut Vec<&'static str>);

    impl<'de> Deserializer<'de> for Ask<'_> {
        type Error = Error;

        fn deserialize_enum<V: Visitor<'de>>(
            self,
            _name: &'static str,
            variants: &'static [&'static str],
            _visitor: V,
        ) -> Result<V::Value, Error> {
            self.0.extend(variants);
            Err(serde::de::Error::custom("asked"))
        }

        fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
            Err(serde::de::Error::custom("not an enum"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map struct identifier ignored_any
        }
    }

    let mut words = Vec::new();
    assert!(T::deserialize(Ask(&mut words)).is_err());
    words
}

/// The keys of a JSON object in the order in which they are written.
struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeysVisitor;

        impl<'de> Visitor<'de> for KeysVisitor {
            type Value = Keys;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, IgnoredAny)) = map.next_entry()? {
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }

        deserializer.deserialize_map(KeysVisitor)
    }
}

/// The properties of a schema, in order.
fn properties(name: &str) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Schema {
        properties: Keys,
    }
    serde_json::from_str::<Schema>(&schema_text(name)).unwrap().properties.0
}

fn enum_words(schema: &Value, field: &str) -> Vec<String> {
    serde_json::from_value(schema["properties"][field]["enum"].clone()).unwrap()
}

#[test]
fn all_reasons_are_listed_once_and_in_declaration_order() {
    let codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    assert_eq!(codes, words::<Reason>());
    assert!(Reason::ALL.is_sorted());
    assert_eq!(Reason::ALL.iter().collect::<BTreeSet<_>>().len(), Reason::ALL.len());
}

#[test]
fn a_reasons_code_is_its_serde_form_and_its_display() {
    for reason in Reason::ALL {
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.code());
        assert_eq!(serde_json::from_value::<Reason>(reason.code().into()).unwrap(), reason);
        assert_eq!(reason.to_string(), reason.code());
    }
}

#[test]
fn a_reasons_pointer_is_empty_or_names_a_required_field_that_its_detail_names_too() {
    let raw_event = schema("raw-event");
    let required: Vec<String> = serde_json::from_value(raw_event["required"].clone()).unwrap();
    for reason in Reason::ALL {
        if let Some(field) = reason.pointer().strip_prefix('/') {
            assert!(required.iter().any(|name| name == field), "{reason}");
            assert!(reason.detail().starts_with(field), "{reason}");
            assert!(reason == Reason::Future || reason.code().ends_with(field), "{reason}");
        } else {
            assert_eq!(reason.pointer(), "");
        }
    }
}

#[test]
fn the_schemas_enums_are_the_rust_enums() {
    assert_eq!(enum_words(&schema("rejected-record"), "reason"), words::<Reason>());
    assert_eq!(enum_words(&schema("late-record"), "reason"), words::<Late>());
    assert_eq!(enum_words(&schema("order-event"), "event_type"), words::<OrderEventType>());
    assert_eq!(enum_words(&schema("order-event"), "status"), words::<OrderStatus>());
}

#[test]
fn late_is_no_reason_to_reject() {
    assert!(!words::<Reason>().contains(&"late"));
}

#[test]
fn the_schemas_topics_are_the_topics_of_rust() {
    let topics: Vec<_> = CONTRACTS
        .iter()
        .map(|contract| (contract.name, schema(contract.name)["x-topic"].as_str().map(str::to_owned)))
        .collect();
    let expected = [
        ("raw-event", Some(names::RAW_EVENTS_TOPIC)),
        ("result-row", None),
        ("topic-row", Some(names::RESULTS_TOPIC)),
        ("rejected-record", Some(names::REJECTED_EVENTS_TOPIC)),
        ("late-record", Some(names::LATE_EVENTS_TOPIC)),
        ("order-event", Some(names::ORDERS_TOPIC)),
        ("control-item", None),
    ];
    assert_eq!(topics, expected.map(|(name, topic)| (name, topic.map(str::to_owned))));
}

#[test]
fn the_schemas_headers_are_the_headers_of_rust() {
    let headers = |name: &str| -> BTreeSet<(String, String)> {
        let schema = schema(name);
        let properties = schema["properties"].as_object().unwrap();
        let headers = properties
            .iter()
            .filter_map(|(field, property)| Some((field.clone(), property["x-header"].as_str()?.to_owned())));
        headers.collect()
    };
    let set =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<BTreeSet<_>>();
    let origin = [
        ("reason", header::REASON),
        ("source", header::SOURCE),
        ("partition", header::PARTITION),
        ("offset", header::OFFSET),
    ];
    let cut = [("original_length", header::ORIGINAL_LENGTH), ("original_sha256", header::ORIGINAL_SHA256)];
    let late = [("window_start", header::WINDOW_START), ("lateness_ms", header::LATENESS_MS)];
    assert_eq!(headers("rejected-record"), &set(&origin) | &set(&cut));
    assert_eq!(headers("late-record"), &set(&origin) | &set(&late));
}

#[test]
fn the_properties_of_a_control_item_are_the_attributes_of_rust() {
    let attributes = [control::KEY, attribute::JOB_EPOCH, control::WATERMARK, control::PROCESSED_AT, control::VERSION];
    assert_eq!(properties("control-item"), attributes);
    assert_eq!(enum_words(&schema("control-item"), control::KEY), [control::JOB]);
    assert_eq!(schema("control-item")["properties"][control::VERSION]["enum"], serde_json::json!([control::V]));
}

#[test]
fn arrow_columns_are_the_properties_of_a_result_row_in_order() {
    let arrow = results_arrow_schema();
    let columns: Vec<_> = arrow.fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(columns, properties("result-row"));
    assert!(arrow.fields().iter().all(|field| !field.is_nullable()));
}

#[test]
fn a_topic_row_is_a_result_row_and_final() {
    let mut expected = properties("result-row");
    expected.push("final".to_owned());
    assert_eq!(properties("topic-row"), expected);
    for field in properties("result-row") {
        assert_eq!(schema("topic-row")["properties"][&field], schema("result-row")["properties"][&field], "{field}");
    }
}

#[test]
fn rust_writes_fields_in_the_order_of_the_schema() {
    for contract in CONTRACTS.iter().filter(|contract| contract.name != "raw-event") {
        let values = crate::generators::output(contract.name);
        let text = crate::generators::first(&values).1;
        let Keys(keys) = serde_json::from_str(&text).unwrap();
        let expected: Vec<_> = properties(contract.name).into_iter().filter(|field| keys.contains(field)).collect();
        assert_eq!(keys, expected, "{}", contract.name);
    }
}

#[test]
fn required_fields_are_properties() {
    for contract in CONTRACTS {
        let required: Vec<String> = serde_json::from_value(schema(contract.name)["required"].clone()).unwrap();
        let properties = properties(contract.name);
        assert!(required.iter().all(|field| properties.contains(field)), "{}", contract.name);
    }
}
