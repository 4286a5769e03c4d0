//! What flags and variables mean, and what is said about those that cannot be used.

use std::net::TcpListener;

use crate::fixtures::{event, row, three_events, three_events_rows};
use crate::harness::{Ended, Place};

fn replay(content: &str, flags: &[&str]) -> Ended {
    let place = Place::new();
    place.write("events", content);
    place.replay("file:events", flags)
}

#[test]
fn strict_writes_the_rows_and_fails_when_a_record_was_rejected() {
    let place = Place::new();
    place.write("events", three_events() + "{}\n");
    let flags = ["--strict", "--sink", "ndjson:rows", "--rejects", "rejects"];
    let ended = place.replay("file:events", &flags).fails(65, "1 record was rejected, and --strict allows none");
    ended.balances(3, 0, 1, 0);
    assert_eq!(place.text("rows"), three_events_rows());
    assert_eq!(place.text("rejects").lines().count(), 1);
    replay("{}\n{}\n", &["--strict"]).fails(65, "2 records were rejected, and");
}

#[test]
fn strict_is_content_with_late_and_filtered_records() {
    let content = three_events() + &event("u1", "1", "12:00:00");
    replay(&content, &["--strict"]).succeeds().balances(3, 1, 0, 0);
    replay(&content, &["--strict", "--event-types", "PURCHASE"]).succeeds().balances(0, 0, 0, 4);
}

#[test]
fn only_the_event_types_that_are_asked_for_count() {
    let purchase = event("u9", "42", "12:00:10").replace("VIEW_PRODUCT", "PURCHASE");
    let content = three_events() + &purchase;
    for (flags, users) in [
        (&["--event-types", "PURCHASE"][..], 1),
        (&["--event-types", "PURCHASE,OTHER"], 1),
        (&["--event-types", "OTHER", "--event-types", "PURCHASE"], 1),
    ] {
        let flags = [flags, &["--out-of-orderness", "2m"]].concat();
        let ended = replay(&content, &flags).succeeds().balances(users, 0, 0, 3);
        assert_eq!(ended.stdout(), row("42", 0, 1));
    }
}

#[test]
fn an_empty_event_type_is_a_mistake_and_not_a_filter_of_everything() {
    replay("", &["--event-types", ""]).fails(64, "--event-types");
    replay("", &["--event-types", "A,"]).fails(64, "--event-types");
}

#[test]
fn out_of_orderness_decides_what_is_late() {
    let content = three_events() + &event("u3", "42", "12:00:59") + "\n" + &event("u4", "7", "12:01:00");
    let ended = replay(&content, &["--out-of-orderness", "0s"]).succeeds().balances(4, 1, 0, 0);
    assert_eq!(ended.stdout(), row("42", 0, 2) + &row("7", 1, 2));
    let ended = replay(&content, &["--out-of-orderness", "1h"]).succeeds().balances(5, 0, 0, 0);
    assert_eq!(ended.stdout(), row("42", 0, 3) + &row("7", 1, 2));
}

#[test]
fn an_event_is_late_once_the_watermark_has_reached_the_end_of_its_window() {
    let on_time = event("u1", "1", "12:01:09") + "\n" + &event("u2", "1", "12:00:59");
    replay(&on_time, &[]).succeeds().balances(2, 0, 0, 0);
    let late = event("u1", "1", "12:01:10") + "\n" + &event("u2", "1", "12:00:59");
    replay(&late, &[]).succeeds().balances(1, 1, 0, 0);
}

#[test]
fn what_cannot_be_used_is_named_with_what_can() {
    for (flags, part) in [
        (&["--out-of-orderness", "10"][..], "write it like 10s"),
        (&["--out-of-orderness", "soon"], "write it like 10s"),
        (&["--out-of-orderness=-1s"], "write it like 10s"),
        (&["--out-of-orderness", "400d"], "longer than a year"),
        (&["--max-future-skew", ""], "--max-future-skew"),
        (&["--workers", "0"], "0 is not in 1..=256"),
        (&["-w", "1000"], "1000 is not in 1..=256"),
        (&["-w", "two"], "'two'"),
        (&["--max-partition-skew", "-1"], "-1"),
        (&["--sink", "postgres"], "use stdout, ndjson:PATH, kafka, dynamodb or table"),
        (&["--sink", "ndjson:"], "there is no path after `ndjson:`"),
        (&["--sink", ""], "use stdout"),
        (&["--rejects", ""], "--rejects"),
        (&["--admin-addr", "9600"], "write HOST:PORT"),
        (&["--admin-addr", "localhost:99999"], "write HOST:PORT"),
        (&["--log-format", "xml"], "'xml'"),
        (&["--unknown"], "'--unknown'"),
        (&["surplus"], "'surplus'"),
    ] {
        let ended = replay("", flags).fails(64, part);
        assert_eq!(ended.stdout(), "", "{flags:?}");
    }
    let place = Place::new();
    place.replay("events.ndjson", &[]).fails(64, "for files write file:events.ndjson");
    place.replay("file:", &[]).fails(64, "there is no path after `file:`");
    place.replay("", &[]).fails(64, "use kafka, file:PATH or -");
    place.dataflow(["count"]).run().fails(64, "'count'");
}

#[test]
fn numbers_of_the_demonstration_are_checked() {
    let place = Place::new();
    for (flags, part) in [
        (["--speed", "0"], "speed 0 cannot be used"),
        (["--speed", "NaN"], "speed NaN cannot be used"),
        (["--rate", "0"], "rate 0 cannot be kept"),
        (["--rate", "-1"], "-1"),
    ] {
        place.dataflow(["demo"].iter().chain(&flags)).run().fails(64, part);
    }
}

#[test]
fn a_variable_stands_for_its_flag_and_the_flag_is_stronger() {
    let place = Place::new();
    place.write("events", three_events());
    let program = place.dataflow(["replay"]).env("FOOTFALL_SOURCE", "file:events");
    let ended = program.env("FOOTFALL_SINKS", "stdout,ndjson:rows").env("FOOTFALL_WORKERS", "2").run().succeeds();
    assert_eq!(ended.stdout(), three_events_rows());
    assert_eq!(place.text("rows"), three_events_rows());
    let program = place.dataflow(["replay", "--source", "file:events"]).env("FOOTFALL_SOURCE", "file:absent");
    program.run().succeeds();
}

#[test]
fn switches_are_set_by_variables_as_people_write_them() {
    for (value, code) in [("1", 65), ("true", 65), ("yes", 65), ("0", 0), ("false", 0)] {
        let place = Place::new();
        place.write("events", "{}");
        let ended = place.dataflow(["replay", "--source", "file:events"]).env("FOOTFALL_STRICT", value).run();
        assert_eq!(ended.status.code(), Some(code), "FOOTFALL_STRICT={value}: {}", ended.stderr);
    }
}

#[test]
fn kafka_without_an_address_is_bad_usage() {
    Place::new().dataflow(["replay"]).run().fails(64, "KAFKA_BOOTSTRAP_SERVERS is not set");
}

#[test]
fn kafka_that_does_not_answer_is_unavailable() {
    let place = Place::new();
    // A port that was free a moment ago refuses connections.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let broker = format!("127.0.0.1:{port}");
    let ended = place.dataflow(["replay", "--kafka-bootstrap-servers", &broker]).run();
    ended.fails(69, &format!("cannot reach Kafka at {broker} within 10 s"));
}

#[test]
fn an_admin_port_that_is_taken_is_unavailable() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let ended = replay("", &["--admin-addr", &address]);
    ended.fails(69, &format!("cannot listen on {address}: Address already in use"));
}
