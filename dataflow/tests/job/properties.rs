//! For any input: the job equals the model, whatever the number of workers and the interleaving of partitions.

use std::time::Duration;

use dataflow::source::operator::SourceSettings;
use proptest::prelude::*;

use crate::fixture::{Outcome, Scripted, replay, settings};
use crate::model::{Expected, Model};

/// 2024-01-01T12:00:00Z.
pub(crate) const NOON_MILLIS: i64 = 1_704_110_400_000;

/// A record: mostly an event of few users and products around a time that the partition has reached, so that repeats,
/// disorder and lateness are common.
fn record(latest_minute: i64) -> impl Strategy<Value = Scripted> {
    let time = (0..=latest_minute * 60_000).prop_map(move |offset| NOON_MILLIS + offset);
    let id = prop_oneof![
        8 => (0..6_u8).prop_map(|id| format!(r#""p{id}""#)),
        1 => (0..3_u8).prop_map(|id| id.to_string()),
        1 => Just(r#""a rather long identifier that is not kept inline""#.to_owned()),
        1 => Just(r#""\u00fc\ud83d\ude00""#.to_owned()),
        1 => Just(r#""""#.to_owned()),
    ];
    let event_type = prop_oneof![Just("VIEW_PRODUCT"), Just("ADD_TO_CART")];
    let record_delay = prop_oneof![2 => Just(None), 1 => (-400_000..400_000_i64).prop_map(Some)];
    let valid =
        (time, id.clone(), id, event_type, record_delay).prop_map(|(time, user, product, event_type, delay)| {
            let timestamp = schemas::EventTime::from_millis(time).unwrap();
            let json = format!(
                r#"{{"user_id":{user},"product_id":{product},"event_type":"{event_type}","timestamp":"{timestamp}"}}"#
            );
            Scripted { value: Some(json.into_bytes()), time_millis: delay.map(|delay| time + delay) }
        });
    let broken = prop_oneof![
        Just(Scripted { value: None, time_millis: None }),
        Just(Scripted::bytes("")),
        Just(Scripted::bytes(r#"{"user_id":"u1","product_id":"p"#)),
        Just(Scripted::bytes(vec![0xFF, 0xFE])),
        Just(Scripted::bytes("[]")),
        Just(Scripted::bytes(vec![b'x'; 70_000])),
    ];
    prop_oneof![12 => valid, 1 => broken]
}

/// Partitions whose times rise at different speeds, with disorder beyond what is tolerated.
fn partitions() -> impl Strategy<Value = Vec<Vec<Scripted>>> {
    let partition = (1..12_i64, 0..60_usize).prop_flat_map(|(minutes, len)| {
        (0..len).map(|index| record(minutes * index as i64 / len.max(1) as i64 + 1)).collect::<Vec<_>>()
    });
    prop::collection::vec(partition, 1..5)
}

pub(crate) fn model(settings: &SourceSettings) -> Model {
    let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap();
    Model {
        out_of_orderness_millis: millis(settings.rules.out_of_orderness),
        max_future_skew_millis: settings.rules.max_future_skew.map(millis),
        allowed_lateness_millis: millis(settings.rules.allowed_lateness),
        event_types: settings.rules.event_types.clone(),
    }
}

pub(crate) fn seen(outcome: &Outcome) -> Expected {
    let totals = outcome.job.partitions.totals();
    assert!(totals.balances(), "{totals:?}");
    let mut quarantined: Vec<_> = outcome
        .recorded
        .quarantined
        .iter()
        .map(|record| (record.partition.0, record.offset.0, format!("{:?}", record.verdict)))
        .collect();
    quarantined.sort();
    Expected {
        rows: outcome.recorded.rows.clone(),
        quarantined,
        received: totals.received,
        counted: totals.counted,
        late: totals.late,
        rejected: totals.all_rejected(),
        filtered: totals.filtered,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_job_equals_the_model_on_any_number_of_workers_and_any_interleaving(
        partitions in partitions(),
        out_of_orderness in prop_oneof![Just(0), Just(10_000_u64), 0..100_000_u64],
        max_partition_skew in prop_oneof![Just(None), (60..300_u64).prop_map(Some)],
        max_future_skew in prop_oneof![Just(None), (0..300_u64).prop_map(Some)],
        only_views in any::<bool>(),
        chunk in 1..20_usize,
    ) {
        let mut settings = settings();
        settings.rules.out_of_orderness = Duration::from_millis(out_of_orderness);
        settings.max_partition_skew = max_partition_skew.map(Duration::from_secs);
        // Records without a time would be compared with the clock, which no model knows: these events are old.
        settings.rules.max_future_skew = max_future_skew.map(Duration::from_secs);
        settings.rules.event_types = if only_views { vec!["VIEW_PRODUCT".to_owned()] } else { Vec::new() };
        let expected = model(&settings).expect(&partitions);
        for (workers, chunk) in [(1, chunk), (2, 1), (4, chunk)] {
            let outcome = replay(&partitions, workers, chunk, &settings);
            prop_assert_eq!(&seen(&outcome), &expected, "with {} workers", workers);
            prop_assert!(outcome.recorded.is_finished);
        }
    }
}

#[test]
fn quarantined_records_are_kept_as_they_came() {
    let whole = Scripted::bytes("not json");
    let large = Scripted::bytes(vec![b'y'; 70_000]);
    let null = Scripted { value: None, time_millis: None };
    let outcome = replay(&[vec![whole, large, null]], 2, 10, &settings());

    let mut kept = outcome.recorded.quarantined;
    kept.sort_by_key(|record| record.offset);
    let [whole, large, null] = &kept[..] else { panic!("{kept:?}") };
    assert_eq!((whole.value.as_deref(), whole.cut), (Some(&b"not json"[..]), None));
    assert_eq!(whole.source, "script-0");
    let cut = large.cut.unwrap();
    assert_eq!((large.value.as_ref().unwrap().len(), cut.length), (65_536, 70_000));
    // printf 'y%.0s' $(seq 70000) | sha256sum
    assert_eq!(cut.sha256_hex(), "ad77ebe4166a19f4e4335d8407a1af9419e0a5fe8ae907f4b3f13d32274e3f82");
    assert_eq!((null.value.as_ref(), null.cut), (None, None));
}
