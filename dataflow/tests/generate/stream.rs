//! What is in a stream.

use dataflow::generate::{Generated, Placement, Shape, Timing, murmur2};
use schemas::{FastDecoder, Reason, decode_general};
use sha2::{Digest, Sha256};
use std::time::Duration;

use crate::fixture::{colourful, generate, summary_of};

#[test]
fn another_seed_gives_other_records() {
    assert_ne!(generate(&colourful(10)), generate(&Shape { seed: 2, ..colourful(10) }));
}

/// A change here changes every stream that anybody ever generated: it belongs into the changelog.
#[test]
fn the_streams_of_today_are_those_of_the_first_release() {
    let mut digest = Sha256::new();
    for record in generate(&colourful(20_000)) {
        digest.update(record.partition.to_le_bytes());
        digest.update(&record.value);
        digest.update(b"\n");
    }
    let digest: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, "0b438829df5d818c034834254d02477fa2578580786c5bf3aad3bfe6b2fdca4e");
}

#[test]
fn shares_come_out_as_asked_for() {
    // Many users, so that partitions come out even too.
    let shape = Shape { add_to_cart_share: 0.3, purchase_share: 0.2, users: 1_000_000, ..colourful(100_000) };
    let records = generate(&shape);
    let summary = summary_of(&shape);
    let near = |name: &str, count: usize, share: f64, whole: usize| {
        let actual = count as f64 / whole as f64;
        assert!((actual - share).abs() < 0.01, "{name}: {actual} is not {share}");
    };
    let rejected: u64 = summary.rejected.values().sum();
    let valid: Vec<_> = records.iter().filter(|record| record.event_time().is_some()).collect();
    near("malformed", rejected as usize, 0.05, records.len());
    near("late", summary.late as usize, 0.05, records.len());
    near(
        "odd",
        valid.iter().filter(|record| FastDecoder::default().decode(&record.value).is_none()).count(),
        0.2,
        valid.len(),
    );
    for (event_type, share) in [("ADD_TO_CART", 0.3), ("PURCHASE", 0.2), ("VIEW_PRODUCT", 0.5)] {
        let is_it =
            |record: &Generated| decode_general(&record.value).is_ok_and(|event| event.event_type == event_type);
        near(event_type, valid.iter().filter(|record| is_it(record)).count(), share, valid.len());
    }
    for partition in 0..4 {
        near("partition", records.iter().filter(|record| record.partition == partition).count(), 0.25, records.len());
    }
}

#[test]
fn malformed_records_have_every_reason_that_a_file_can_have() {
    let shape = Shape { malformed_share: 1.0, late_share: 0.0, ..colourful(20_000) };
    let found: Vec<Reason> = summary_of(&shape).rejected.into_keys().collect();
    // A blank line is no record, and nothing in a file is in the future.
    let expected: Vec<Reason> =
        Reason::ALL.into_iter().filter(|reason| !matches!(reason, Reason::Empty | Reason::Future)).collect();
    assert_eq!(found, expected);
}

#[test]
fn events_lie_between_the_start_and_the_end_of_the_duration() {
    let shape = Shape { events: Some(10_000), timing: Timing::Spread(Duration::from_secs(600)), ..Shape::default() };
    let end = shape.start.millis() + 600_000;
    for record in generate(&shape) {
        let time = record.event_time().expect("nothing is malformed").millis();
        assert!((shape.start.millis()..end).contains(&time));
    }
    assert_eq!(summary_of(&shape).windows, 10);
}

#[test]
fn users_are_placed_as_kafka_places_them() {
    // From Apache Kafka's own test, UtilsTest.testMurmur2.
    for (key, hash) in [
        ("21", -973_932_308_i32),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ("abc", 479_470_107),
    ] {
        assert_eq!(murmur2(key.as_bytes()), hash as u32, "{key}");
        assert_eq!(Placement::new(7, 0.0).of_key(key.as_bytes()), (hash as u32 & 0x7fff_ffff) % 7, "{key}");
    }
}

#[test]
fn skewed_partitions_fall_geometrically() {
    let shape = Shape { partition_skew: 0.5, partitions: 3, users: 1_000_000, ..colourful(70_000) };
    let mut sizes = [0_i64; 3];
    for record in generate(&shape) {
        sizes[record.partition as usize] += 1;
    }
    for (size, expected) in sizes.into_iter().zip([40_000, 20_000, 10_000]) {
        assert!((size - expected).abs() < 1000, "{sizes:?}");
    }
}
