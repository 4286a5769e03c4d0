//! Raw events: the schema and the decoder accept the same values.

use chrono::DateTime;
use proptest::prelude::*;
use schemas::EventTime;
use serde_json::{Value, json};

use crate::fixtures::{cases, judge, schema_accepts};
use crate::generators::{event_time, id, matching};
use crate::mutations::{apply, mutations};

/// Whether a value that the schema accepts breaks a rule that JSON Schema cannot express. Rules about how the value
/// is written (duplicate keys, escapes, size, nesting) do not concern values.
fn beyond_schema(value: &Value) -> bool {
    let written_as_a_float = |name: &str| value[name].is_f64();
    let too_many_bytes = |name: &str| value[name].as_str().is_some_and(|text| text.len() > 256);
    ["user_id", "product_id"].into_iter().any(written_as_a_float)
        || ["user_id", "product_id", "event_type"].into_iter().any(too_many_bytes)
        || value["timestamp"].as_str().is_some_and(is_no_instant_of_1970_to_9999)
}

fn is_no_instant_of_1970_to_9999(timestamp: &str) -> bool {
    DateTime::parse_from_rfc3339(timestamp).is_ok_and(|time| EventTime::from_millis(time.timestamp_millis()).is_err())
        || DateTime::parse_from_rfc3339(timestamp).is_err()
}

fn any_id() -> impl Strategy<Value = Value> {
    prop_oneof![3 => id().prop_map(Value::from), 1 => any::<i64>().prop_map(Value::from), 1 => any::<u64>().prop_map(Value::from)]
}

prop_compose! {
    fn raw_event()(
        user_id in any_id(),
        product_id in any_id(),
        event_type in id(),
        time in event_time(),
        metadata in prop::option::of(prop::collection::btree_map(matching(".{0,4}"), matching(".{0,4}"), 0..3)),
    ) -> Value {
        let mut event = json!({
            "user_id": user_id, "product_id": product_id, "event_type": event_type, "timestamp": time.to_string()
        });
        if let Some(metadata) = metadata {
            event["metadata"] = json!(metadata);
        }
        event
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn valid_events_are_accepted_by_schema_and_decoder(event in raw_event()) {
        prop_assert!(schema_accepts("raw-event", &event));
        let text = event.to_string();
        let decoded = judge(text.as_bytes()).unwrap();
        let as_text = |id: &Value| id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        prop_assert_eq!(decoded.user_id.as_ref(), as_text(&event["user_id"]));
        prop_assert_eq!(decoded.product_id.as_ref(), as_text(&event["product_id"]));
        prop_assert_eq!(decoded.event_type.as_ref(), event["event_type"].as_str().unwrap());
        prop_assert_eq!(decoded.timestamp.to_string(), event["timestamp"].as_str().unwrap());
    }

    #[test]
    fn schema_and_decoder_accept_the_same_mutants(mut event in raw_event(), mutations in mutations()) {
        apply(&mut event, &mutations);
        let text = event.to_string();
        let verdict = judge(text.as_bytes());
        prop_assert_eq!(verdict.is_ok(), schema_accepts("raw-event", &event) && !beyond_schema(&event), "{} {:?}", text, verdict);
    }
}
