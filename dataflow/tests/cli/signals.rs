//! Ctrl-C and SIGTERM: who gives up, who finishes, and how fast.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{ChildStdin, Stdio};

use crate::fixtures::{row, three_events};
use crate::harness::{INTERRUPT_LIMIT, Place, Running};

const SIGNALS: [&str; 2] = ["INT", "TERM"];

/// Starts a command over standard input that does not end, and waits for the rows of its first window: then it is
/// running for certain.
fn start_counting(place: &Place, flags: &[&str]) -> (Running, ChildStdin) {
    let mut running = place.dataflow(flags).stdin(Stdio::piped()).start();
    let mut stdin = running.take_stdin();
    stdin.write_all(three_events().as_bytes()).expect("the program reads");
    running.wait_until("rows of the first window", |running| running.stdout_so_far() == row("42", 0, 2));
    (running, stdin)
}

#[test]
fn an_interrupted_replay_leaves_output_files_as_they_were() {
    for signal in SIGNALS {
        let place = Place::new();
        for output in ["rows", "rejects"] {
            place.write(output, "old");
        }
        let flags =
            ["replay", "--source", "-", "--sink", "stdout,ndjson:rows", "--rejects", "rejects", "--late", "late"];
        let (running, _stdin) = start_counting(&place, &flags);
        running.signal(signal);
        let ended = running.wait(INTERRUPT_LIMIT).fails(130, "interrupted; the replay is incomplete");
        assert!(!ended.stderr.contains("kept in"), "{}", ended.stderr);
        assert_eq!(place.text("rows"), "old");
        assert_eq!(place.text("rejects"), "old");
        assert_eq!(place.names("."), ["rejects", "rows"]);
    }
}

#[test]
fn an_interrupted_run_completes_what_it_has_counted() {
    for signal in SIGNALS {
        let place = Place::new();
        let flags = ["run", "--source", "-", "--sink", "stdout,ndjson:rows", "--admin-addr", "off"];
        let (running, _stdin) = start_counting(&place, &flags);
        running.signal(signal);
        let ended = running.wait(INTERRUPT_LIMIT).succeeds().balances(3, 0, 0, 0);
        // The last window is open: its rows would not be final.
        assert_eq!(ended.stdout(), row("42", 0, 2));
        assert_eq!(place.text("rows"), row("42", 0, 2));
        place.has_no_partial_files();
    }
}

#[test]
fn an_interrupted_run_writes_the_rows_of_every_window_that_it_has_closed() {
    let place = Place::new();
    // Few rows for many events: it is the reading that takes the time, not the writing.
    let flags = "generate --to ndjson:events --answers answers --events 200000 --duration 1000m --partitions 2 \
                 --products 5 --users 100";
    place.dataflow(flags.split_whitespace()).run().succeeds();
    let answers = place.text("answers");
    // Several times, as it is a matter of the moment: rows may be anywhere between two operators.
    for workers in ["1", "2", "2", "2", "3", "4"] {
        let flags = ["run", "--source", "file:events", "--admin-addr", "off", "-w", workers];
        let mut running = place.dataflow(flags).start();
        running.wait_until("many rows", |running| running.stdout_so_far().len() > 20_000);
        running.signal("INT");
        let ended = running.wait(INTERRUPT_LIMIT).succeeds();
        let rows = ended.stdout();
        assert!(answers.starts_with(rows), "{workers} workers: rows are missing, or of windows that are not final");
        let windows = rows.lines().map(window_of).collect::<BTreeSet<_>>().len() as u64;
        assert_eq!(ended.total("windows closed"), windows, "{workers} workers");
    }
}

fn window_of(row: &str) -> String {
    let row: serde_json::Value = serde_json::from_str(row).expect("a row is JSON");
    row["window_start"].to_string()
}

#[test]
fn a_run_that_waits_for_a_pipe_without_a_writer_can_be_interrupted() {
    let place = Place::new();
    place.named_pipe("events");
    let flags = ["run", "--source", "file:events", "--sink", "ndjson:rows", "--admin-addr", "127.0.0.1:0"];
    let mut running = place.dataflow(flags).start();
    running.wait_until("address of the metrics", |running| running.stderr_so_far().contains("/metrics"));
    running.signal("INT");
    running.wait(INTERRUPT_LIMIT).succeeds().balances(0, 0, 0, 0);
    assert_eq!(place.names("."), ["events", "rows"]);
}

#[test]
fn an_interrupted_demonstration_ends_well_with_its_summary() {
    for signal in SIGNALS {
        let place = Place::new();
        let mut running = place.dataflow(["demo", "--speed", "600", "--rate", "5000"]).start();
        running.wait_until("first table", |running| running.stdout_so_far().contains("unique users"));
        running.signal(signal);
        let ended = running.wait(INTERRUPT_LIMIT).succeeds();
        assert!(ended.total("received") > 0);
        assert!(ended.stderr.contains("counted "), "{}", ended.stderr);
    }
}

#[test]
fn an_interrupted_generator_leaves_whole_files_and_their_answer_key() {
    let place = Place::new();
    let flags = [
        "generate",
        "--events",
        "0",
        "--rate",
        "5000",
        "--speed",
        "600",
        "--to",
        "ndjson:events",
        "--answers",
        "answers",
    ];
    let mut running = place.dataflow(flags).start();
    running.wait_until("both files", |_| place.names(".").len() == 2);
    running.signal("INT");
    running.wait(INTERRUPT_LIMIT).succeeds();
    assert_eq!(place.names("."), ["answers", "events"]);
    let ended = place.replay("file:events", &[]).succeeds();
    assert!(ended.stdout == place.read("answers"));
}
