//! The rules of time, one by one.

use std::time::Duration;

use dataflow::record::Verdict;
use dataflow::sink::operator::Spread;
use schemas::Reason;

use crate::fixture::{RecordingSink, Scripted, event, job, live, replay, settings, short, typed_event, wait_until};

#[test]
fn each_user_counts_once_for_a_product_and_window() {
    let records = vec![
        event("u1", "a", "12:00:00"),
        event("u1", "a", "12:00:59.999"),
        event("u2", "a", "12:00:30"),
        event("u1", "b", "12:00:30"),
        event("u1", "a", "12:01:00"),
    ];
    let outcome = replay(&[records], 2, 1, &settings());
    assert_eq!(short(&outcome.recorded.rows), ["a@12:00=2", "b@12:00=1", "a@12:01=1"]);
}

#[test]
fn rows_are_sorted_by_window_and_then_by_the_bytes_of_the_product_id() {
    let products = ["10", "9", "B", "a", "\u{e9}", "\u{1f600}", "Z"];
    let mut records: Vec<_> = products.iter().map(|product| event("u", product, "12:01:00")).collect();
    records.push(event("u", "late start", "12:00:59"));
    let outcome = replay(&[records], 3, 100, &settings());
    let rows = short(&outcome.recorded.rows);
    assert_eq!(
        rows,
        [
            "late start@12:00=1",
            "10@12:01=1",
            "9@12:01=1",
            "B@12:01=1",
            "Z@12:01=1",
            "a@12:01=1",
            "\u{e9}@12:01=1",
            "\u{1f600}@12:01=1"
        ]
    );
}

#[test]
fn an_integer_id_and_the_string_of_its_digits_are_the_same_product() {
    let number = r#"{"user_id":7,"product_id":42,"event_type":"V","timestamp":"2024-01-01T12:00:00Z"}"#;
    let outcome = replay(&[vec![Scripted::bytes(number), event("7", "42", "12:00:01")]], 2, 1, &settings());
    assert_eq!(short(&outcome.recorded.rows), ["42@12:00=1"]);
}

#[test]
fn an_event_is_late_exactly_when_its_window_ends_at_or_before_the_watermark_before_it() {
    // The watermark is 12:01:00 after the event at 12:01:10, and a millisecond less after 12:01:09.999.
    let just_open = vec![event("u1", "a", "12:01:09.999"), event("u2", "a", "12:00:59.999")];
    let just_closed = vec![event("u1", "a", "12:01:10"), event("u2", "a", "12:00:59.999")];

    let outcome = replay(&[just_open], 1, 1, &settings());
    assert_eq!(short(&outcome.recorded.rows), ["a@12:00=1", "a@12:01=1"]);
    assert_eq!(outcome.recorded.quarantined, []);

    let outcome = replay(&[just_closed], 1, 1, &settings());
    assert_eq!(short(&outcome.recorded.rows), ["a@12:01=1"]);
    let verdicts: Vec<_> = outcome.recorded.quarantined.iter().map(|record| record.verdict).collect();
    let event_millis = schemas::EventTime::parse(b"2024-01-01T12:00:59.999Z").unwrap().millis();
    assert_eq!(verdicts, [Verdict::Late { event_millis, lateness_millis: 0 }]);
}

#[test]
fn lateness_depends_on_the_events_own_partition_alone() {
    // Another partition is an hour ahead; this one's events are in order, so none is late.
    let ahead = vec![event("u1", "a", "13:00:00")];
    let behind = vec![event("u1", "a", "12:00:00"), event("u2", "a", "12:00:01")];
    for chunk in [1, 10] {
        let outcome = replay(&[ahead.clone(), behind.clone()], 2, chunk, &settings());
        assert_eq!(short(&outcome.recorded.rows), ["a@12:00=2", "a@13:00=1"]);
    }
}

#[test]
fn the_watermark_never_falls() {
    let records = vec![event("u1", "a", "12:05:00"), event("u1", "a", "12:04:50"), event("u2", "a", "12:03:59")];
    let outcome = replay(&[records], 1, 1, &settings());
    assert_eq!(outcome.job.partitions.totals().late, 1);
}

#[test]
fn rejected_events_do_not_move_the_watermark_and_filtered_ones_do() {
    let mut settings = settings();
    settings.rules.event_types = vec!["VIEW_PRODUCT".to_owned()];
    let rejected = r#"{"product_id":"a","event_type":"VIEW_PRODUCT","timestamp":"2024-01-01T14:00:00Z"}"#;
    let records = vec![Scripted::bytes(rejected), event("u1", "a", "12:00:00")];
    assert_eq!(replay(&[records], 1, 1, &settings).job.partitions.totals().late, 0);

    let records = vec![typed_event("u9", "a", "PURCHASE", "14:00:00"), event("u1", "a", "12:00:00")];
    let totals = replay(&[records], 1, 1, &settings).job.partitions.totals();
    assert_eq!((totals.late, totals.filtered), (1, 1));
}

#[test]
fn a_late_event_of_an_unwanted_type_is_filtered_not_late() {
    let mut settings = settings();
    settings.rules.event_types = vec!["VIEW_PRODUCT".to_owned()];
    let records = vec![event("u1", "a", "14:00:00"), typed_event("u1", "a", "PURCHASE", "12:00:00")];
    let totals = replay(&[records], 1, 1, &settings).job.partitions.totals();
    assert_eq!((totals.late, totals.filtered), (0, 1));
}

#[test]
fn an_event_dated_too_far_after_its_record_is_rejected_as_future() {
    let mut settings = settings();
    settings.rules.max_future_skew = Some(Duration::from_secs(300));
    let records = vec![
        event("u1", "a", "12:05:00").at("2024-01-01T12:00:00Z"),
        event("u2", "a", "12:05:00.001").at("2024-01-01T12:00:00Z"),
    ];
    let outcome = replay(&[records], 1, 1, &settings);
    assert_eq!(short(&outcome.recorded.rows), ["a@12:05=1"]);
    assert_eq!(outcome.job.partitions.get(dataflow::record::PartitionId(0)).rejected(Reason::Future), 1);
}

#[test]
fn without_a_record_time_the_future_rule_compares_with_the_clock() {
    let mut settings = settings();
    let far =
        Scripted::bytes(r#"{"user_id":"u","product_id":"a","event_type":"V","timestamp":"9999-01-01T00:00:00Z"}"#);
    let outcome = replay(&[vec![far.clone()]], 1, 1, &settings);
    assert_eq!(outcome.job.partitions.totals().counted, 1);

    settings.rules.max_future_skew = Some(Duration::from_secs(300));
    let outcome = replay(&[vec![far, event("u", "a", "12:00:00")]], 1, 1, &settings);
    let totals = outcome.job.partitions.totals();
    assert_eq!((totals.counted, totals.all_rejected()), (1, 1));
}

#[test]
fn an_event_ahead_of_its_record_counts_in_its_window_but_does_not_drag_the_watermark() {
    let mut settings = settings();
    settings.rules.max_future_skew = Some(Duration::from_secs(300));
    let records = vec![
        event("u1", "a", "12:04:00").at("2024-01-01T12:00:00Z"),
        event("u2", "a", "12:00:01").at("2024-01-01T12:00:01Z"),
    ];
    let outcome = replay(&[records], 1, 1, &settings);
    assert_eq!(short(&outcome.recorded.rows), ["a@12:00=1", "a@12:04=1"]);
}

#[test]
fn windows_close_when_every_partition_has_passed_them_and_not_before() {
    let (first, first_reader) = live();
    let (second, second_reader) = live();
    let job = job(2, 2);
    let sink = RecordingSink::default();
    let running = {
        let (job, plan) = (job.clone(), sink.plan());
        std::thread::spawn(move || job.run(vec![first_reader, second_reader], settings(), vec![plan]))
    };
    first.send(event("u1", "a", "12:00:00"));
    first.send(event("u1", "a", "12:01:30"));
    second.send(event("u2", "a", "12:00:00"));
    wait_until("all three are counted", || job.partitions.totals().counted == 3);
    assert_eq!(sink.recorded().rows, [], "the second partition may still have events of 12:00");

    second.send(event("u2", "a", "12:01:10"));
    wait_until("12:00 is closed", || !sink.recorded().rows.is_empty());
    assert_eq!(short(&sink.recorded().rows), ["a@12:00=2"]);

    drop((first, second));
    running.join().unwrap().unwrap();
    assert_eq!(short(&sink.recorded().rows), ["a@12:00=2", "a@12:01=2"]);
}

#[test]
fn a_stopped_job_leaves_open_windows_unwritten_and_completes_its_outputs() {
    let (writer, reader) = live();
    let job = job(2, 1);
    let sink = RecordingSink::default();
    let running = {
        let (job, plan) = (job.clone(), sink.plan());
        std::thread::spawn(move || job.run(vec![reader], settings(), vec![plan]))
    };
    writer.send(event("u1", "a", "12:00:00"));
    writer.send(event("u1", "a", "12:01:30"));
    wait_until("12:00 is closed", || !sink.recorded().rows.is_empty());
    job.control.stop();
    running.join().unwrap().unwrap();
    let recorded = sink.recorded();
    assert_eq!(short(&recorded.rows), ["a@12:00=1"]);
    assert!(recorded.is_finished);
}

#[test]
fn sinks_on_every_worker_get_the_same_rows_each_once() {
    let records: Vec<_> =
        (0..200).map(|user| event(&format!("u{user}"), &format!("p{}", user % 20), "12:00:00")).collect();
    let readers = vec![crate::fixture::ScriptReader::new(&records, 7)];
    let job = job(4, 1);
    let sink = RecordingSink::default();
    let plan = dataflow::job::SinkPlan { rows: Some(Spread::EveryWorker), ..sink.plan() };
    job.run(readers, settings(), vec![plan]).unwrap();
    let mut rows = short(&sink.recorded().rows);
    rows.sort();
    let mut expected: Vec<_> = (0..20).map(|product| format!("p{product}@12:00=10")).collect();
    expected.sort();
    assert_eq!(rows, expected);
}
