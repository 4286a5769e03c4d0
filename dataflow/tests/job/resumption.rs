//! Killed, stopped and started again, whatever the moment: what is committed in the end is what one undisturbed run
//! commits, each row and each record once.

use std::time::{Duration, Instant};

use dataflow::source::operator::SourceSettings;
use proptest::prelude::*;
use schemas::ResultRow;

use crate::fixture::{Scripted, event, wait_until};
use crate::lateness::{closed, contents, lateness, with_lateness};
use crate::model::Expected;
use crate::properties::model;
use crate::topic::{Disturbance, Setup, Store, Topic, killed};

fn sorted(mut rows: Vec<ResultRow>) -> Vec<ResultRow> {
    rows.sort_by(|a, b| (a.window, &a.product_id, a.revision).cmp(&(b.window, &b.product_id, b.revision)));
    rows
}

/// What the store has, in the model's terms.
fn committed(store: &Store) -> Expected {
    let stored = store.stored();
    let mut quarantined: Vec<_> = stored
        .quarantined()
        .iter()
        .map(|record| (record.partition.0, record.offset.0, format!("{:?}", record.verdict)))
        .collect();
    quarantined.sort();
    let mut seen = Expected { rows: sorted(stored.rows()), quarantined, ..Expected::default() };
    for partition in 0..stored.offsets.len() {
        let (_, record) = store.record(partition).unwrap();
        assert!(record.totals.balance(), "{record}");
        seen.received += record.totals.received;
        seen.counted += record.totals.counted;
        seen.late += record.totals.late;
        seen.rejected += record.totals.rejected;
        seen.filtered += record.totals.filtered;
    }
    seen
}

fn disturbance() -> impl Strategy<Value = Disturbance> {
    let at = prop_oneof![3 => 1..6_usize, 1 => 6..20_usize];
    (0..4, at).prop_map(|(kind, at)| match kind {
        0 => Disturbance::KilledBefore(at),
        1 => Disturbance::KilledAfter(at),
        2 => Disturbance::StoppedAt(at),
        _ => Disturbance::AbortedAt(at),
    })
}

#[derive(Clone, Debug)]
struct Life {
    workers: usize,
    chunk: usize,
    disturbance: Option<Disturbance>,
}

fn life(disturbance: impl Strategy<Value = Option<Disturbance>>) -> impl Strategy<Value = Life> {
    let chunk = prop_oneof![2 => Just(1_usize), 2 => 2..8_usize, 1 => Just(1_000)];
    (1..=4_usize, chunk, disturbance).prop_map(|(workers, chunk, disturbance)| Life { workers, chunk, disturbance })
}

/// Runs the lives one after the other, the last one until all is committed.
fn live(lives: &[Life], topic: &Topic, open: u64, settings: &SourceSettings, interval: Duration) -> Store {
    let store = Store::default();
    for Life { workers, chunk, disturbance } in lives {
        let setup = Setup {
            chunk: *chunk,
            settings: settings.clone(),
            commit_interval: interval,
            disturbance: *disturbance,
            ..Setup::new(*workers)
        };
        let running = setup.start(topic, &store);
        running.wait_for_all(open);
        let ended = running.stop();
        assert!(ended.is_ok() || ended == Err(killed()), "{ended:?}");
    }
    store
}

fn unbounded(lateness_secs: u64) -> SourceSettings {
    SourceSettings { is_unbounded: true, ..with_lateness(lateness_secs) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_job_that_is_killed_again_and_again_commits_what_an_undisturbed_one_does(
        partitions in contents(),
        lives in prop::collection::vec(life(disturbance().prop_map(Some)), 1..6),
        last in life(Just(None)),
        lateness in lateness(),
        interval_millis in prop_oneof![2 => Just(0_u64), 1 => 0..5_u64],
    ) {
        let settings = unbounded(lateness);
        let partitions = closed(partitions);
        let model = model(&settings);
        let open = model.first_open(&partitions);
        let mut expected = model.expect_closed(&partitions);
        expected.rows = sorted(expected.rows);
        let topic = Topic::of(&partitions);
        let interval = Duration::from_millis(interval_millis);

        let undisturbed = live(&[Life { disturbance: None, ..last.clone() }], &topic, open, &settings, interval);
        prop_assert_eq!(&committed(&undisturbed), &expected);

        let lives: Vec<_> = lives.into_iter().chain([last]).collect();
        let store = live(&lives, &topic, open, &settings, interval);
        prop_assert_eq!(&committed(&store), &expected);
        prop_assert!(store.covers(&topic, open));
        let epochs: Vec<_> = store.stored().starts.iter().map(|start| start.epoch).collect();
        // A life that finds nothing to do may be stopped before it begins, and takes no epoch.
        let ever_higher: Vec<_> = (1..=epochs.len() as u64).collect();
        prop_assert_eq!(epochs, ever_higher);
    }
}

#[test]
fn a_job_that_is_stopped_while_it_starts_ends() {
    let topic = Topic::of(&[vec![event("u1", "a", "12:00:00")], vec![event("u2", "a", "12:00:01")]]);
    for (workers, attempt) in (2..=4).flat_map(|workers| (0..100).map(move |attempt| (workers, attempt))) {
        let running = Setup::new(workers).start(&topic, &Store::default());
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_micros(attempt * 20) {
            std::hint::spin_loop();
        }
        running.job.control.stop();
        wait_until("a job that is stopped early has ended", || running.has_ended());
        running.stop().unwrap();
    }
}

#[test]
fn what_was_committed_is_not_read_again_beyond_what_the_open_windows_need() {
    let time = |minute: usize, second: usize| format!("12:{minute:02}:{second:02}");
    let records: Vec<_> = (0..600).map(|n| event(&format!("u{n}"), "a", &time(n / 20, n % 20 * 3))).collect();
    let partitions = vec![records];
    for (lateness_secs, windows) in [(0, 1), (60, 2), (90, 3)] {
        let topic = Topic::of(&partitions);
        let store = Store::default();
        let setup = Setup { settings: unbounded(lateness_secs), ..Setup::new(2) };
        let open = model(&setup.settings).first_open(&partitions);
        let running = setup.start(&topic, &store);
        assert!(running.wait_for_all(open));
        running.stop().unwrap();

        let running = setup.start(&topic, &store);
        wait_until("it has caught up", || running.job.partitions.have_caught_up());
        let totals = running.job.partitions.totals();
        assert_eq!((totals.received, totals.replayed), (0, 20 * windows), "with {lateness_secs} s");
        running.stop().unwrap();
        assert_eq!(store.record(0).unwrap().0, 600 - 20 * windows);
    }
}

#[test]
fn records_that_come_while_the_job_is_down_are_read_once_it_is_up() {
    let settings = unbounded(0);
    let topic = Topic::of(&[vec![event("u1", "a", "12:00:00")], vec![event("u2", "a", "12:00:01")]]);
    let store = Store::default();
    let setup = Setup { settings: settings.clone(), ..Setup::new(2) };
    for (minute, workers) in [(1, 1), (2, 4), (3, 3), (4, 2)] {
        let running = Setup { workers, ..setup.clone() }.start(&topic, &store);
        let open = model(&settings).first_open(&topic.contents());
        assert!(running.wait_for_all(open));
        running.stop().unwrap();
        for partition in 0..2 {
            let more: Vec<Scripted> = (0..2)
                .map(|user| event(&format!("u{user}"), "a", &format!("12:{minute:02}:3{partition}")))
                .chain([Scripted::bytes("broken")])
                .collect();
            topic.append(partition, more);
        }
    }
    let partitions = closed(topic.contents());
    let topic = Topic::of(&partitions);
    let model = model(&settings);
    let running = setup.start(&topic, &store);
    assert!(running.wait_for_all(model.first_open(&partitions)));
    running.stop().unwrap();
    let mut expected = model.expect_closed(&partitions);
    expected.rows = sorted(expected.rows);
    assert_eq!(committed(&store), expected);
}
