//! The answer key, against a second opinion that reads the bytes.

use dataflow::generate::{Answers, Content, Shape, Summary, Timing};
use proptest::prelude::*;
use proptest::test_runner::Config;
use schemas::{ResultRow, Window, decode_general};
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use crate::fixture::{Memory, OOO, colourful, generate, run_to_end, summary_of};

/// The results of written partitions, worked out from their bytes alone: a second opinion on the answer key.
pub(crate) fn judge(partitions: &BTreeMap<u32, Vec<Vec<u8>>>, out_of_orderness: Duration) -> (Vec<ResultRow>, Summary) {
    let mut summary = Summary::default();
    let mut seen = BTreeSet::new();
    for values in partitions.values() {
        let mut watermark = i64::MIN;
        for value in values {
            summary.received += 1;
            match decode_general(value) {
                Err(reason) => *summary.rejected.entry(reason).or_default() += 1,
                Ok(event) => {
                    let window = Window::of(event.timestamp);
                    if window.end_millis() <= watermark {
                        summary.late += 1;
                    } else {
                        summary.counted += 1;
                        seen.insert((window, event.product_id.into_owned(), event.user_id.into_owned()));
                    }
                    watermark = watermark.max(event.timestamp.millis() - out_of_orderness.as_millis() as i64);
                }
            }
        }
    }
    let mut rows: Vec<ResultRow> = Vec::new();
    for (window, product_id, _) in seen {
        match rows.last_mut() {
            Some(row) if row.window == window && row.product_id == product_id => row.unique_user_count += 1,
            _ => rows.push(ResultRow { product_id, window, unique_user_count: 1, revision: 0 }),
        }
    }
    summary.rows = rows.len() as u64;
    summary.windows = rows.iter().map(|row| row.window).collect::<BTreeSet<_>>().len() as u64;
    (rows, summary)
}

prop_compose! {
    fn shapes()(
        seed: u64,
        events in 0..2000_u64,
        minutes in 0..20_u64,
        rate in proptest::option::of(1..200_u64),
        products in 1..40_u64,
        users in 1..200_u64,
        (product_exponent, user_exponent) in (0.0..2.0, prop_oneof![Just(0.0), 0.1..2.0]),
        partitions in 1..6_u32,
        partition_skew in prop_oneof![Just(0.0), 0.0..0.99],
        (jitter, out_of_orderness) in (0..200_u64, 0..60_u64),
        (late_share, malformed_share, odd_layout_share) in (0.0..0.5, 0.0..0.5, 0.0..1.0),
    ) -> Shape {
        let duration = Duration::from_secs(minutes * 60);
        Shape {
            seed,
            events: Some(events),
            // In tests that do not run at its pace, only the event times of a live stream show.
            timing: rate.map_or(Timing::Spread(duration), |rate| Timing::Live { rate, speed: 20.5 }),
            products, product_exponent, users, user_exponent, partitions, partition_skew,
            jitter: Duration::from_secs(jitter),
            out_of_orderness: Duration::from_secs(out_of_orderness),
            late_share, malformed_share, odd_layout_share,
            ..Shape::default()
        }
    }
}

proptest! {
    #![proptest_config(Config { cases: 32, failure_persistence: None, ..Config::default() })]

    #[test]
    fn the_answer_key_is_what_the_bytes_say(mut shape in shapes()) {
        if matches!(shape.timing, Timing::Live { .. }) {
            shape.timing = Timing::Live { rate: 1_000_000, speed: 500_000.0 };
        }
        let folder = tempfile::tempdir()?;
        let (rows, counts) = (folder.path().join("rows.ndjson"), folder.path().join("summary.json"));
        let memory = Memory::default();
        let answers = Answers::create(&shape, Some(&rows), Some(&counts))?;
        let outcome = run_to_end(&shape, Box::new(memory.clone()), Some(answers))?;

        let (expected_rows, expected) = judge(&memory.0.lock().expect("no thread panics"), shape.out_of_orderness);
        prop_assert_eq!(outcome.summary.as_ref(), Some(&expected));
        prop_assert_eq!(Some(outcome.events), shape.events);
        let mut expected_text = String::new();
        for row in expected_rows {
            expected_text += &(serde_json::to_string(&row)? + "\n");
        }
        prop_assert_eq!(fs::read_to_string(&rows)?, expected_text);
        prop_assert_eq!(fs::read_to_string(&counts)?, serde_json::to_string(&expected)? + "\n");
        prop_assert_eq!(
            expected.received,
            expected.counted + expected.late + expected.filtered + expected.rejected.values().sum::<u64>()
        );
    }

    #[test]
    fn the_seed_fixes_every_byte(shape in shapes()) {
        prop_assert_eq!(generate(&shape), generate(&shape));
    }

    #[test]
    fn every_record_is_one_line_and_says_what_the_generator_knows(shape in shapes()) {
        for record in generate(&shape) {
            prop_assert!(!record.value.contains(&b'\n') && !record.value.contains(&b'\r'));
            prop_assert!(record.value.iter().any(|byte| !byte.is_ascii_whitespace()));
            prop_assert!(record.partition < shape.partitions);
            match (decode_general(&record.value), record.content) {
                (Err(reason), Content::Malformed(expected)) => {
                    prop_assert_eq!(reason, expected);
                    prop_assert!(record.key.is_empty());
                }
                (Ok(event), Content::Event { user, product, time }) => {
                    prop_assert_eq!(event.user_id.as_bytes(), &record.key);
                    prop_assert_eq!(event.user_id, format!("u{user}"));
                    prop_assert_eq!(event.product_id, product.to_string());
                    prop_assert_eq!(event.timestamp, time);
                    prop_assert!((1..=shape.users).contains(&user) && (1..=shape.products).contains(&product));
                }
                (decoded, content) => prop_assert!(false, "{decoded:?} is not {content:?}"),
            }
        }
    }

    #[test]
    fn without_a_late_share_and_with_small_jitter_nothing_is_late(shape in shapes(), jitter_millis in 0..=10_000_u64) {
        let jitter = Duration::from_millis(jitter_millis);
        let shape = Shape { late_share: 0.0, jitter, out_of_orderness: OOO, ..shape };
        prop_assert_eq!(summary_of(&shape).late, 0);
    }

    #[test]
    fn partitions_move_records_without_changing_them(shape in shapes()) {
        let shape = Shape { late_share: 0.0, ..shape };
        let values = |shape: &Shape| generate(shape).into_iter().map(|record| record.value).collect::<Vec<_>>();
        let one = Shape { partitions: 1, partition_skew: 0.0, ..shape.clone() };
        prop_assert_eq!(values(&shape), values(&one));
    }

    #[test]
    fn a_user_stays_in_one_partition(shape in shapes()) {
        let mut partition_of = BTreeMap::new();
        for record in generate(&shape).into_iter().filter(|record| !record.key.is_empty()) {
            prop_assert_eq!(*partition_of.entry(record.key).or_insert(record.partition), record.partition);
        }
    }
}

#[test]
fn an_event_is_late_from_the_moment_the_watermark_reaches_its_windows_end() {
    // Event time in steps of ten seconds: watermarks stand at the end of a window, to the millisecond.
    let timing = Timing::Live { rate: 1, speed: 10.0 };
    let shape = Shape { timing, jitter: Duration::ZERO, late_share: 0.5, partitions: 1, ..colourful(2_000) };
    let values = generate(&shape).into_iter().map(|record| record.value).collect();
    let by_bytes = judge(&BTreeMap::from([(0, values)]), OOO).1;
    assert_eq!(summary_of(&shape), by_bytes);
    assert!((900..1100).contains(&by_bytes.late), "{by_bytes:?}");
}
