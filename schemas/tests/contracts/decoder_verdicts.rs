//! The rules of raw events, third part: of several faults the first in the list of reasons is the verdict.

use std::borrow::Cow;

use proptest::prelude::*;
use schemas::Reason;

use crate::fixtures::{OWNERS_EVENT, cases, judge};

/// What may be wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Missing,
    Invalid,
}

/// Each required field with its value, and its reasons for being missing and being invalid.
const FIELDS: [(&str, &str, Reason, Reason); 4] = [
    ("user_id", "\"u1\"", Reason::MissingUserId, Reason::InvalidUserId),
    ("product_id", "\"42\"", Reason::MissingProductId, Reason::InvalidProductId),
    ("event_type", "\"V\"", Reason::MissingEventType, Reason::InvalidEventType),
    ("timestamp", "\"2024-01-01T12:00:00Z\"", Reason::MissingTimestamp, Reason::InvalidTimestamp),
];

fn record(faults: &[(usize, Fault)]) -> String {
    let fields: Vec<_> = faults
        .iter()
        .filter(|(_, fault)| *fault != Fault::Missing)
        .map(|&(field, fault)| {
            format!("\"{}\":{}", FIELDS[field].0, if fault == Fault::Invalid { "null" } else { FIELDS[field].1 })
        })
        .collect();
    format!("{{{}}}", fields.join(","))
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn of_several_faults_the_first_in_the_order_of_reasons_is_the_verdict(
        faults in prop::collection::vec(prop::sample::select(vec![Fault::None, Fault::Missing, Fault::Invalid]), 4)
            .prop_map(|faults| faults.into_iter().enumerate().collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let reasons = faults.iter().filter_map(|&(field, fault)| match fault {
            Fault::None => None,
            Fault::Missing => Some(FIELDS[field].2),
            Fault::Invalid => Some(FIELDS[field].3),
        });
        let record = record(&faults);
        prop_assert_eq!(judge(record.as_bytes()).err(), reasons.min(), "{}", record);
    }
}

#[test]
fn an_empty_object_has_no_user() {
    assert_eq!(judge(b"{}"), Err(Reason::MissingUserId));
}

#[test]
fn null_is_invalid_and_not_missing() {
    for (field, (_, _, missing, invalid)) in FIELDS.into_iter().enumerate() {
        let with = |fault| record(&[0, 1, 2, 3].map(|other| (other, if other == field { fault } else { Fault::None })));
        assert_eq!(judge(with(Fault::Missing).as_bytes()), Err(missing));
        assert_eq!(judge(with(Fault::Invalid).as_bytes()), Err(invalid));
    }
}

/// Whether an event is in the future depends on its arrival, which the decoder does not know.
#[test]
fn the_decoder_never_says_future() {
    let record = OWNERS_EVENT.replace("2024-01-01T12:00:00Z", "9999-12-31T23:59:59Z");
    assert!(judge(record.as_bytes()).is_ok());
}

#[test]
fn texts_without_escapes_are_borrowed_from_the_record() {
    let event = judge(OWNERS_EVENT.as_bytes()).unwrap();
    for text in [event.user_id, event.product_id, event.event_type] {
        assert!(matches!(text, Cow::Borrowed(_)));
    }
}
