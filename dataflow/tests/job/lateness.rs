//! Allowed lateness: every row, revisions included, is decided by the contents of the partitions alone.

use std::time::Duration;

use proptest::prelude::*;

use crate::fixture::{Scripted, event, replay, settings};
use crate::model::Model;
use crate::properties::{NOON_MILLIS, model, seen};
use dataflow::source::operator::SourceSettings;
use schemas::{EventTime, ResultRow};

pub(crate) fn with_lateness(lateness_secs: u64) -> SourceSettings {
    let mut settings = settings();
    settings.rules.allowed_lateness = Duration::from_secs(lateness_secs);
    settings.rules.max_future_skew = Some(Duration::from_secs(300));
    settings
}

/// `product@HH:MM=count/revision`.
fn revisions(rows: &[ResultRow]) -> Vec<String> {
    let one = |row: &ResultRow| {
        let start = &row.window.start_text()[11..16];
        format!("{}@{start}={}/{}", row.product_id, row.unique_user_count, row.revision)
    };
    rows.iter().map(one).collect()
}

/// A step of a partition's time, and a record there.
#[derive(Clone, Debug)]
struct Step {
    millis: i64,
    behind_millis: i64,
    user: u8,
    product: u8,
    kind: u8,
}

impl Step {
    fn record(&self, time: i64) -> Scripted {
        let text = |millis| EventTime::from_millis(millis).unwrap().to_string();
        let event = |event_time: i64| {
            let Step { user, product, .. } = self;
            let time = text(event_time);
            Scripted::bytes(format!(
                r#"{{"user_id":"u{user}","product_id":"p{product}","event_type":"V","timestamp":"{time}"}}"#
            ))
        };
        let mut record = match self.kind {
            0 => Scripted::bytes("not an event"),
            1 => Scripted { value: None, time_millis: None },
            // Ahead of its record: some of them further than is believed.
            2 => event(time + 3 * self.behind_millis),
            _ => event(time - self.behind_millis),
        };
        record.time_millis = Some(time);
        record
    }
}

fn step() -> impl Strategy<Value = Step> {
    let behind = prop_oneof![4 => Just(0), 4 => 0..12_000_i64, 2 => 0..90_000_i64, 1 => 0..500_000_i64];
    (0..40_000_i64, behind, 0..5_u8, 0..3_u8, 0..24_u8).prop_map(|(millis, behind_millis, user, product, kind)| Step {
        millis,
        behind_millis,
        user,
        product,
        kind,
    })
}

/// Partitions of very different lengths and speeds, among them empty ones: in disorder within and beyond what is
/// tolerated, with few users and products, so that they repeat.
pub(crate) fn contents() -> impl Strategy<Value = Vec<Vec<Scripted>>> {
    let length = prop_oneof![1 => Just(0_usize), 3 => 0..20_usize, 1 => 40..70_usize];
    let steps = length.prop_flat_map(|length| prop::collection::vec(step(), length));
    let partition = (0..120_000_i64, steps).prop_map(|(begin, steps)| {
        let mut time = NOON_MILLIS + begin;
        let record = |step: &Step| {
            time += step.millis;
            step.record(time)
        };
        steps.iter().map(record).collect::<Vec<_>>()
    });
    prop::collection::vec(partition, 1..5)
}

/// Adds an event to each partition that closes all windows before it.
pub(crate) fn closed(mut partitions: Vec<Vec<Scripted>>) -> Vec<Vec<Scripted>> {
    for partition in &mut partitions {
        partition.push(event("closing", "closing", "15:00:00").at("2024-01-01T15:00:00Z"));
    }
    partitions
}

pub(crate) fn lateness() -> impl Strategy<Value = u64> {
    prop_oneof![2 => Just(0_u64), 1 => Just(30), 1 => Just(60), 1 => Just(90), 1 => Just(300)]
}

#[test]
fn an_event_within_the_allowed_lateness_revises_its_row_when_its_partitions_present_window_closes() {
    let records = vec![
        event("u1", "a", "12:00:00"),
        // 12:00 is closed by this partition, by 30 s.
        event("u1", "a", "12:01:40"),
        event("u2", "a", "12:00:30"),
        event("u1", "a", "12:00:31"),
        // By 90 s, and the event after it is late.
        event("u1", "b", "12:02:40"),
        event("u3", "a", "12:00:32"),
        event("u4", "b", "12:00:33"),
        event("u1", "b", "12:03:10"),
        event("u5", "a", "12:00:34"),
    ];
    for workers in [1, 3] {
        let outcome = replay(std::slice::from_ref(&records), workers, 1, &with_lateness(120));
        assert_eq!(
            revisions(&outcome.recorded.rows),
            ["a@12:00=1/0", "a@12:00=2/1", "a@12:01=1/0", "a@12:00=3/2", "b@12:00=1/0", "b@12:02=1/0", "b@12:03=1/0"]
        );
        assert_eq!(outcome.job.partitions.totals().late, 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn all_revisions_are_the_same_on_any_number_of_workers_and_any_interleaving(
        partitions in contents(),
        lateness in lateness(),
        max_partition_skew in prop_oneof![Just(None), Just(Some(Duration::from_secs(120)))],
        chunk in 1..20_usize,
    ) {
        let settings = SourceSettings { max_partition_skew, ..with_lateness(lateness) };
        let model: Model = model(&settings);
        let expected = model.expect(&partitions);
        for (workers, chunk) in [(1, 100), (2, 1), (4, chunk)] {
            let outcome = replay(&partitions, workers, chunk, &settings);
            prop_assert_eq!(&seen(&outcome), &expected, "with {} workers", workers);
        }
    }
}
