//! Partitions that have nothing to read, and partitions that the topic has got since.

use std::time::Duration;

use dataflow::clock::now_millis;
use dataflow::commit::record::Join;
use dataflow::partitions::{OnAllIdle, Watermark};
use dataflow::record::{Offset, Verdict};
use schemas::EventTime;

use crate::fixture::{Scripted, event, short, wait_until};
use crate::topic::{Running, Setup, Store, Topic};

const TIMEOUT: Duration = Duration::from_millis(60);

/// Of 2024-01-01.
fn at(time: &str) -> Watermark {
    Watermark::at(EventTime::parse(format!("2024-01-01T{time}Z").as_bytes()).unwrap().millis())
}

fn join(offset: u64, time: &str) -> Join {
    Join { offset: Offset(offset), watermark: at(time) }
}

fn idling(workers: usize) -> Setup {
    let mut setup = Setup::new(workers);
    setup.settings.idle_timeout = Some(TIMEOUT);
    // It is not the subject here, and would pause the partition that is ahead.
    setup.settings.max_partition_skew = None;
    setup
}

/// A partition that is ahead, and one that has stopped.
fn uneven() -> Topic {
    Topic::of(&[
        vec![event("u1", "a", "12:00:00"), event("u1", "a", "12:05:00"), event("u1", "a", "12:10:00")],
        vec![event("u2", "a", "12:00:30")],
    ])
}

fn job_watermark(running: &Running) -> Watermark {
    running.job.partitions.job_watermark()
}

fn is_closed_through(store: &Store, time: &str) -> bool {
    let closed = store.record(0).and_then(|(_, record)| record.closed_through);
    closed.is_some_and(|closed| Watermark::at(closed.millis()) == at(time))
}

/// The broker answers until the partition is idle.
fn make_idle(running: &Running, partition: u32) {
    wait_until("the partition is idle", || {
        running.prove(partition);
        running.partition(partition).is_idle()
    });
}

/// The late records: partition, offset, and by how many seconds.
fn late(store: &Store) -> Vec<(u32, u64, u64)> {
    let late = store.stored().quarantined().into_iter().filter_map(|record| match record.verdict {
        Verdict::Late { lateness_millis, .. } => Some((record.partition.0, record.offset.0, lateness_millis / 1000)),
        Verdict::Rejected(_) => None,
    });
    late.collect()
}

#[test]
fn a_partition_leaves_the_watermark_only_with_proof_that_was_asked_for_after_the_timeout() {
    let (topic, store) = (uneven(), Store::default());
    let running = idling(2).start(&topic, &store);
    wait_until("all is read", || running.job.partitions.totals().received == 4);
    let quiet = running.partition(1);
    for (end, asked) in [(1, now_millis() - 3_600_000), (2, i64::MAX)] {
        wait_until("somebody wants proof", || quiet.wants_proof());
        // The broker was asked too early, or there is more to read.
        quiet.prove(end, asked);
        running.job.control.wake_all();
        wait_until("somebody wants better proof", || quiet.wants_proof());
        assert!(!quiet.is_idle());
        assert_eq!(job_watermark(&running), at("12:00:20"));
    }
    assert_eq!(store.stored().rows(), []);

    running.prove(1);
    wait_until("its windows are closed", || is_closed_through(&store, "12:09:00"));
    assert!(quiet.is_idle() && store.record(1).unwrap().1.is_idle);
    assert_eq!(short(&store.stored().rows()), ["a@12:00=2", "a@12:05=1"]);
    running.stop().unwrap();
}

#[test]
fn without_a_timeout_no_proof_makes_a_partition_idle() {
    let (topic, store) = (uneven(), Store::default());
    let mut setup = idling(2);
    setup.settings.idle_timeout = None;
    let running = setup.start(&topic, &store);
    running.partition(1).prove(1, i64::MAX);
    wait_until("all is read", || store.covers(&topic, 0));
    assert!(!running.partition(1).is_idle() && !running.partition(1).wants_proof());
    assert_eq!(job_watermark(&running), at("12:00:20"));
    running.stop().unwrap();
}

#[test]
fn a_partition_that_comes_back_joins_where_the_job_is_and_a_restart_repeats_that() {
    for workers in [1, 2] {
        let (topic, store) = (uneven(), Store::default());
        let running = idling(workers).start(&topic, &store);
        make_idle(&running, 1);
        wait_until("its windows are closed", || is_closed_through(&store, "12:09:00"));
        // A record that is no event does not bring it back.
        topic.append(1, [Scripted::bytes("broken")]);
        wait_until("it is rejected", || running.partition(1).received.load(std::sync::atomic::Ordering::Relaxed) == 2);
        assert!(running.partition(1).is_idle());
        topic.append(1, [event("u3", "a", "12:06:00"), event("u4", "a", "12:09:05")]);
        wait_until("the return is committed", || store.record(1).unwrap().1.position == Offset(4));
        let (offset, record) = store.record(1).unwrap();
        // Before the event of 12:09 the floor of the join holds.
        assert_eq!((offset, record.joins, record.is_idle), (3, vec![join(2, "12:09:50")], false));
        assert_eq!(late(&store), [(1, 2, 170)]);
        running.kill();

        // Its own events have closed nothing after 12:08; the join has, and 50 s of 12:09 too.
        topic.append(1, [event("u5", "a", "12:08:58"), event("u6", "a", "12:09:06")]);
        let running = idling(3 - workers).start(&topic, &store);
        wait_until("all is committed", || store.record(1).unwrap().1.position == Offset(6));
        assert_eq!(late(&store), [(1, 2, 170), (1, 4, 50)]);
        topic.append(0, [event("u1", "z", "12:12:00")]);
        topic.append(1, [event("u1", "z", "12:12:00")]);
        wait_until("12:09 is closed", || is_closed_through(&store, "12:11:00"));
        assert_eq!(short(&store.stored().rows()), ["a@12:00=2", "a@12:05=1", "a@12:09=2", "a@12:10=1"]);
        running.stop().unwrap();
    }
}

#[test]
fn an_idle_partition_that_is_far_ahead_comes_back_before_the_others_leave_its_events_behind() {
    let topic = Topic::of(&[vec![event("u1", "a", "12:00:00")], vec![event("u2", "a", "12:30:00")]]);
    let store = Store::default();
    let mut setup = idling(2);
    setup.settings.max_partition_skew = Some(Duration::from_secs(120));
    let running = setup.start(&topic, &store);
    make_idle(&running, 1);
    topic.append(1, [event("u3", "a", "12:31:00")]);
    wait_until("it is back", || !running.partition(1).is_idle());
    topic.append(0, [event("u1", "z", "13:00:00")]);
    topic.append(1, [event("u1", "z", "13:00:00")]);
    wait_until("its windows are closed", || is_closed_through(&store, "12:59:00"));
    running.stop().unwrap();
    assert_eq!(short(&store.stored().rows()), ["a@12:00=1", "a@12:30=1", "a@12:31=1"]);
    assert_eq!(late(&store), []);
}

#[test]
fn a_restart_does_not_wait_for_the_timeout_again() {
    let (topic, store) = (uneven(), Store::default());
    let running = idling(2).start(&topic, &store);
    make_idle(&running, 1);
    wait_until("its windows are closed", || is_closed_through(&store, "12:09:00"));
    running.kill();

    let mut setup = idling(2);
    setup.settings.idle_timeout = Some(Duration::from_secs(3_600));
    store.backdate_seen(1, "2026-01-01T00:00:00Z");
    let running = setup.start(&topic, &store);
    make_idle(&running, 1);
    assert!(!running.partition(0).is_idle());
    topic.append(0, [event("u1", "a", "12:12:00")]);
    wait_until("the job goes on", || is_closed_through(&store, "12:11:00"));
    running.stop().unwrap();
}

#[test]
fn a_partition_becomes_idle_after_any_number_of_restarts() {
    let (topic, store) = (uneven(), Store::default());
    for minute in 11..31 {
        let running = idling(1 + minute % 3).start(&topic, &store);
        make_idle(&running, 1);
        topic.append(0, [event("u1", "a", &format!("12:{minute}:10"))]);
        wait_until("its windows are closed", || is_closed_through(&store, &format!("12:{minute}:00")));
        running.kill();
    }
    assert_eq!(store.record(1).unwrap().1.joins.len(), 1);
    assert_eq!(store.stored().rows().len(), 2 + 21 - 1);
}

#[test]
fn when_all_are_idle_the_last_open_window_closes_by_the_clock_and_nothing_more() {
    let (topic, store) = (uneven(), Store::default());
    let mut setup = idling(2);
    setup.on_all_idle = OnAllIdle::Advance { behind: Duration::from_secs(10) };
    let running = setup.start(&topic, &store);
    make_idle(&running, 0);
    make_idle(&running, 1);
    wait_until("the last window is closed", || is_closed_through(&store, "12:11:00"));
    assert_eq!(short(&store.stored().rows()), ["a@12:00=2", "a@12:05=1", "a@12:10=1"]);
    assert_eq!(job_watermark(&running), at("12:11:00"));
    // What comes for the closed window is late, and what comes after it counts.
    topic.append(0, [event("u2", "a", "12:10:30")]);
    wait_until("it is late", || late(&store) == [(0, 3, 0)]);
    topic.append(0, [event("u2", "a", "12:11:00")]);
    wait_until("it is committed", || store.record(0).unwrap().1.position == Offset(5));
    assert_eq!(store.record(0).unwrap().1.totals.counted, 4);
    running.kill();

    // A restart knows no event, and closes nothing.
    let running = setup.start(&topic, &store);
    make_idle(&running, 0);
    make_idle(&running, 1);
    wait_until("the last window is closed", || is_closed_through(&store, "12:12:00"));
    running.stop().unwrap();
    assert_eq!(short(&store.stored().rows()), ["a@12:00=2", "a@12:05=1", "a@12:10=1", "a@12:11=1"]);
}

#[test]
fn when_all_are_idle_the_watermark_is_not_ahead_of_the_clock_and_stays_where_it_is_to_be_frozen() {
    let rules = [OnAllIdle::Freeze, OnAllIdle::Advance { behind: Duration::from_secs(100 * 366 * 24 * 3600) }];
    for on_all_idle in rules {
        let (topic, store) = (uneven(), Store::default());
        let setup = Setup { on_all_idle, ..idling(2) };
        let running = setup.start(&topic, &store);
        make_idle(&running, 1);
        wait_until("its windows are closed", || is_closed_through(&store, "12:09:00"));
        make_idle(&running, 0);
        assert_eq!(job_watermark(&running), at("12:09:50"));
        running.stop().unwrap();
        assert!(is_closed_through(&store, "12:09:00"));
    }
}

#[test]
fn a_new_partition_is_read_from_its_beginning_and_joins_where_the_job_is() {
    let topic = Topic::of(&[vec![event("u1", "a", "12:00:00"), event("u1", "a", "12:10:00")]]);
    let store = Store::default();
    let setup = Setup::new(2);
    let running = setup.start(&topic, &store);
    wait_until("its windows are closed", || is_closed_through(&store, "12:09:00"));
    topic.add_partition(vec![event("u2", "a", "12:05:00"), event("u3", "a", "12:09:30")]);
    running.announce_partition(1);
    wait_until("it is read", || store.record(1).is_some_and(|(_, record)| record.position == Offset(2)));
    let (offset, record) = store.record(1).unwrap();
    assert_eq!((offset, record.joins, record.partitions), (1, vec![join(0, "12:09:50")], 2));
    assert_eq!(late(&store), [(1, 0, 230)]);
    running.kill();

    // One that has come while the job was down joins where its windows are closed.
    topic.add_partition(vec![event("u2", "a", "12:08:59"), event("u4", "a", "12:09:01")]);
    let running = Setup::new(3).start(&topic, &store);
    wait_until("it is read", || store.record(2).is_some_and(|(_, record)| record.position == Offset(2)));
    assert_eq!(store.record(2).unwrap().1.joins, [join(0, "12:09:00")]);
    assert_eq!(late(&store), [(1, 0, 230), (2, 0, 0)]);
    for partition in 0..3 {
        topic.append(partition, [event("u1", "z", "12:12:00")]);
    }
    wait_until("12:10 is closed", || is_closed_through(&store, "12:11:00"));
    running.stop().unwrap();
    assert_eq!(short(&store.stored().rows()), ["a@12:00=1", "a@12:09=2", "a@12:10=1"]);
}

#[test]
fn a_job_that_is_killed_before_all_new_partitions_have_records_can_be_started_again() {
    let topic = Topic::of(&[vec![event("u1", "a", "12:00:00"), event("u1", "a", "12:10:00")]]);
    let store = Store::default();
    let mut setup = Setup::new(2);
    // It would wait for the one that is not there yet.
    setup.settings.max_partition_skew = None;
    let running = setup.start(&topic, &store);
    wait_until("its windows are closed", || is_closed_through(&store, "12:09:00"));
    topic.add_partition(vec![event("u2", "a", "12:09:30")]);
    topic.add_partition(vec![event("u3", "a", "12:09:31")]);
    // The second of them is faster.
    running.announce_partition(2);
    wait_until("it is read", || store.record(2).is_some_and(|(_, record)| record.position == Offset(1)));
    assert_eq!(store.record(1), None);
    running.kill();

    let running = Setup::new(2).start(&topic, &store);
    for partition in 0..3 {
        topic.append(partition, [event("u1", "z", "12:12:00")]);
    }
    wait_until("12:10 is closed", || is_closed_through(&store, "12:11:00"));
    running.stop().unwrap();
    assert_eq!(short(&store.stored().rows()), ["a@12:00=1", "a@12:09=2", "a@12:10=1"]);
    assert!((0..3).all(|partition| store.record(partition).unwrap().1.partitions == 3));
}
