//! Devices and pipes: written in place, read as they come, never replaced.

use std::fs;
use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::thread;

use crate::fixtures::{event, three_events, three_events_rows};
use crate::harness::{Ended, Place};

/// A place with events of which one is rejected and one is late.
fn place_with_events() -> Place {
    let place = Place::new();
    place.write("events", three_events() + "{\n" + &event("u1", "1", "12:00:00"));
    place
}

fn device(path: &str) -> fs::File {
    fs::OpenOptions::new().write(true).open(path).expect("the device opens")
}

fn is_device(path: &str) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_char_device())
}

#[test]
fn a_full_device_is_an_error_wherever_it_stands() {
    let place = place_with_events();
    for flags in [["--sink", "ndjson:/dev/full"], ["--rejects", "/dev/full"], ["--late", "/dev/full"]] {
        let ended = place.replay("file:events", &flags).fails(74, "cannot write /dev/full: No space left on device");
        assert!(!ended.stderr.contains("kept in"), "{}", ended.stderr);
    }
    assert!(is_device("/dev/full"));
}

#[test]
fn a_full_standard_output_is_an_error() {
    let place = place_with_events();
    let program = place.dataflow(["replay", "--source", "file:events"]).stdout(device("/dev/full"));
    program.run().fails(74, "cannot write standard output: No space left on device");
}

#[test]
fn a_standard_error_that_cannot_be_written_costs_the_sentences_and_nothing_else() {
    let place = place_with_events();
    let flags = ["run", "--source", "file:events", "--admin-addr", "127.0.0.1:0"];
    let ended = place.dataflow(flags).stderr(device("/dev/full")).run().succeeds();
    assert_eq!(ended.stdout(), three_events_rows());
    let ended = place.dataflow(["replay", "--source", "file:absent"]).stderr(device("/dev/full")).run();
    assert_eq!(ended.status.code(), Some(64));
    let ended = place.dataflow(["generate", "--events", "1"]).stderr(device("/dev/full")).run().succeeds();
    assert_eq!(ended.stdout().lines().count(), 1);
}

#[test]
fn the_null_device_takes_any_number_of_outputs_and_stays_a_device() {
    let place = place_with_events();
    let flags = ["--sink", "ndjson:/dev/null", "--rejects", "/dev/null", "--late", "/dev/null"];
    place.replay("file:events", &flags).succeeds().balances(3, 1, 1, 0);
    let program = place.dataflow(["replay", "--source", "file:events"]).stdout(device("/dev/null"));
    program.run().succeeds();
    assert!(is_device("/dev/null"));
}

#[test]
fn the_null_device_is_an_empty_source() {
    Place::new().replay("file:/dev/null", &[]).succeeds().balances(0, 0, 0, 0);
}

#[test]
fn standard_error_redirected_to_a_file_takes_records_and_sentences() {
    let place = place_with_events();
    let log = fs::File::create(place.path("log")).expect("the folder takes files");
    let program = place.dataflow(["replay", "--source", "file:events", "--rejects", "/dev/stderr"]).stderr(log);
    program.run().succeeds();
    let log = place.text("log");
    assert!(log.contains(r#"{"reason":"not_json""#), "{log}");
    assert!(log.contains("replayed 5 records"), "{log}");
}

#[test]
fn a_named_pipe_is_a_source_and_a_sink() {
    let place = Place::new();
    place.named_pipe("events");
    place.named_pipe("rows");
    let (events, rows) = (place.path("events"), place.path("rows"));
    let writer = thread::spawn(move || fs::write(events, three_events()));
    let reader = thread::spawn(move || {
        let mut text = String::new();
        fs::File::open(rows)?.read_to_string(&mut text).map(|_| text)
    });
    place.replay("file:events", &["--sink", "ndjson:rows"]).succeeds().balances(3, 0, 0, 0);
    writer.join().expect("no panic").expect("the pipe takes events");
    assert_eq!(reader.join().expect("no panic").expect("the pipe gives rows"), three_events_rows());
    for name in ["events", "rows"] {
        let metadata = fs::symlink_metadata(place.path(name)).expect("the pipe is there");
        assert!(metadata.file_type().is_fifo(), "{name} was replaced");
    }
}

/// Reads the first line of a program's standard output, then closes it.
fn read_one_line(place: &Place, flags: &[&str]) -> Ended {
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let running = place.dataflow(["replay", "--source", "file:events"].iter().chain(flags)).stdout(writer).start();
    let mut byte = [0];
    while reader.read(&mut byte).expect("the pipe can be read") == 1 && byte != *b"\n" {}
    drop(reader);
    running.wait(crate::harness::LIMIT)
}

#[test]
fn a_standard_output_that_is_closed_early_is_an_error_and_no_panic() {
    let place = Place::new();
    crate::fixtures::generated(&place, &[]);
    for sink in ["stdout", "table"] {
        read_one_line(&place, &["--sink", sink]).fails(74, "cannot write standard output: Broken pipe");
    }
}

#[test]
fn both_outputs_closed_early_are_no_panic() {
    let place = Place::new();
    crate::fixtures::generated(&place, &[]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let both = writer.try_clone().expect("a pipe");
    drop(reader);
    let ended = place.dataflow(["replay", "--source", "file:events"]).stdout(writer).stderr(both).run();
    assert_eq!(ended.status.code(), Some(74));
}
