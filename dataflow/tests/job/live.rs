//! Live rows: counts of open windows, which only grow, and end with the final row.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dataflow::commit::home::Output;
use dataflow::job::LivePlan;
use dataflow::live::LiveSettings;
use schemas::{ResultRow, Window};

use crate::fixture::{Scripted, event, short, wait_until};
use crate::topic::{Setup, Store, Stored, Topic};

fn telling(workers: usize, interval: Duration, max_rows: usize) -> Setup {
    let live = LivePlan { rows: LiveSettings { interval, max_rows }, store_interval: None };
    Setup { live: Some(live), chunk: 3, ..Setup::new(workers) }
}

fn often(workers: usize) -> Setup {
    telling(workers, Duration::from_millis(8), 1_000)
}

/// So many users look at products a to d between 12:00:00 and 12:00:49.
fn looks(users: std::ops::Range<usize>) -> impl Iterator<Item = Scripted> {
    users.flat_map(|user| {
        let time = format!("12:00:{:02}", user % 50);
        ["a", "b", "c", "d"].map(|product| event(&format!("u{user}"), product, &time))
    })
}

type Counts = BTreeMap<(Window, String), u64>;

fn counts(rows: &[ResultRow]) -> Counts {
    rows.iter().map(|row| ((row.window, row.product_id.clone()), row.unique_user_count)).collect()
}

/// That of each key, no count is lower than the one before it, and nothing that is not final follows what is.
fn assert_in_order(stored: &Stored) {
    let mut latest = Counts::new();
    let mut has_final = Counts::new();
    for output in &stored.outputs {
        let (rows, is_final) = match output {
            Output::Rows(rows) => (rows, true),
            Output::Live(rows) => (rows, false),
            Output::Quarantined(_) => continue,
        };
        for (key, count) in counts(rows) {
            assert!(is_final || !has_final.contains_key(&key), "a live row of {key:?} follows the final one");
            let before = latest.insert(key.clone(), count).unwrap_or(0);
            assert!(before <= count, "the count of {key:?} falls from {before} to {count}");
            if is_final {
                has_final.insert(key, count);
            }
        }
    }
}

fn all_at(count: usize) -> impl Fn(&Counts) -> bool {
    move |counts| counts.len() == 4 && counts.values().all(|own| *own == count as u64)
}

#[test]
fn counts_of_an_open_window_grow_to_what_was_read_and_end_with_the_final_rows() {
    for workers in [1, 2, 4] {
        let topic = Topic::of(&[Vec::new(), Vec::new()]);
        let store = Store::default();
        let running = often(workers).start(&topic, &store);
        for step in 0..4 {
            // The same users come by both partitions, and more by each.
            topic.append(0, looks(0..step * 3 + 2));
            topic.append(1, looks(step..step * 3 + 3));
            let is_told = all_at(step * 3 + 3);
            wait_until("what was read is told", || is_told(&counts(&store.stored().live_rows())));
        }
        for partition in 0..2 {
            topic.append(partition, [event("u", "z", "12:05:00")]);
        }
        wait_until("the window is closed", || store.stored().rows().len() == 4);
        running.stop().unwrap();
        assert_eq!(short(&store.stored().rows()), ["a@12:00=12", "b@12:00=12", "c@12:00=12", "d@12:00=12"]);
        assert_in_order(&store.stored());
    }
}

#[test]
fn counts_do_not_fall_when_the_job_is_killed_and_started_again() {
    let topic = Topic::of(&[Vec::new(), Vec::new(), Vec::new()]);
    let store = Store::default();
    for step in 1..24 {
        let running = often(1 + step % 4).start(&topic, &store);
        for partition in 0..3 {
            topic.append(partition, looks((step - 1) * 4 + partition..step * 4 + partition));
        }
        let is_told = all_at(step * 4 + 2);
        wait_until("what was read is told", || is_told(&counts(&store.stored().live_rows())));
        running.kill();
        assert_in_order(&store.stored());
    }
}

#[test]
fn a_job_that_replays_tells_nothing_until_it_has_read_what_the_topic_had_when_it_started() {
    let topic = Topic::of(&[looks(0..20).collect(), looks(10..30).collect()]);
    let store = Store::default();
    topic.gate(1, Some(40));
    let running = often(2).start(&topic, &store);
    wait_until("what can be read is read", || running.job.partitions.totals().received == 120);
    topic.gate(1, None);
    let is_told = all_at(30);
    wait_until("what was read is told", || is_told(&counts(&store.stored().live_rows())));
    running.kill();
    assert!(store.stored().live_rows().iter().all(|row| row.unique_user_count == 30), "a count of half the topic");

    let told = store.stored().live_rows().len();
    topic.gate(0, Some(8));
    let running = often(3).start(&topic, &store);
    wait_until("what can be read is read", || {
        let totals = running.job.partitions.totals();
        totals.replayed + totals.received == 88
    });
    topic.gate(0, None);
    wait_until("what was read is told", || store.stored().live_rows().len() >= told + 4);
    running.stop().unwrap();
    assert_in_order(&store.stored());
}

#[test]
fn the_first_counts_after_a_long_replay_are_not_lower_than_the_last_before_it() {
    // So long that the workers take in much between two looks at what they have.
    let interval = Duration::from_millis(1_200);
    let topic = Topic::of(&[looks(0..700).collect(), Vec::new()]);
    let store = Store::default();
    for workers in [2, 1] {
        topic.gate(0, Some(8));
        let running = Setup { chunk: 100, ..telling(workers, interval, 1_000) }.start(&topic, &store);
        let overdue = Instant::now() + interval;
        wait_until("rows are overdue", || Instant::now() >= overdue);
        let told = store.stored().live_rows().len();
        topic.gate(0, None);
        wait_until("it has caught up", || running.job.partitions.have_caught_up());
        // People go on looking at things, which lets the source see that all it had read is taken in.
        topic.append(1, looks(0..1));
        wait_until("rows are told", || {
            let live_rows = store.stored().live_rows();
            all_at(700)(&counts(&live_rows[told..]))
        });
        running.kill();
        assert_in_order(&store.stored());
    }
}

#[test]
fn no_more_rows_are_told_at_a_time_than_are_allowed_on_all_workers_together() {
    for (workers, max_rows) in [(4, 5), (4, 2), (2, 1)] {
        let products: Vec<_> = (0..40).map(|product| event("u", &format!("p{product}"), "12:00:00")).collect();
        let topic = Topic::of(&[products]);
        let store = Store::default();
        let interval = Duration::from_millis(300);
        let running = telling(workers, interval, max_rows).start(&topic, &store);
        wait_until("rows are told", || !store.stored().live_rows().is_empty());
        // Every worker has told by now what it has to tell, and none has done so twice.
        std::thread::sleep(interval / 3);
        let told = store.stored().live_rows().len();
        assert!(told <= max_rows, "{told} rows at once on {workers} workers");
        running.stop().unwrap();
    }
}
