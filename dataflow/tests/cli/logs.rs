//! What stands on standard error when a machine reads it.

use serde_json::Value;

use crate::fixtures::three_events;
use crate::harness::{Ended, Place};

fn place_with_events() -> Place {
    let place = Place::new();
    place.write("events", three_events() + "{}\n");
    place
}

fn json_lines(ended: &Ended) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON: {error}\n{line}"));
    ended.stderr.lines().map(parse).collect()
}

#[test]
fn log_lines_in_json_are_json_to_the_last() {
    let place = place_with_events();
    let flags = ["run", "--source", "file:events", "--admin-addr", "127.0.0.1:0", "--log-format", "json"];
    let lines = json_lines(&place.dataflow(flags).run().succeeds());
    let summary = &lines.last().expect("there are lines")["fields"];
    for (field, records) in [("received", 4), ("counted", 3), ("late", 0), ("rejected", 1), ("filtered", 0)] {
        assert_eq!(summary[field], records, "{field}");
    }
    assert!(lines.len() > 1, "the address of the metrics is not told");
}

#[test]
fn the_last_sentence_of_a_failed_job_is_json_too() {
    let place = place_with_events();
    let program = place.dataflow(["replay", "--source", "file:events", "--strict", "--log-format", "json"]);
    let ended = program.run();
    assert_eq!(ended.status.code(), Some(65));
    let lines = json_lines(&ended);
    let last = lines.last().expect("there are lines");
    assert_eq!(last["level"], "ERROR");
    assert_eq!(last["fields"]["exit_code"], 65);
    assert_eq!(last["fields"]["message"], "1 record was rejected, and --strict allows none");
}

#[test]
fn the_summary_alone_is_said_where_nobody_looks_at_a_terminal() {
    let ended = place_with_events().replay("file:events", &[]).succeeds();
    assert!(ended.stderr.starts_with("replayed 4 records"), "{}", ended.stderr);
    assert!(!ended.stdout().contains('\u{1b}'));
}
