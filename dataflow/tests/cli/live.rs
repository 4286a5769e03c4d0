//! Counting while the input still grows.

use std::io::Write;
use std::process::Stdio;

use crate::fixtures::{event, row};
use crate::harness::{LIMIT, Place};

#[test]
fn rows_of_closed_windows_appear_before_the_input_ends() {
    let place = Place::new();
    let flags = ["run", "--source", "-", "--admin-addr", "off", "-w", "2"];
    let mut running = place.dataflow(flags).stdin(Stdio::piped()).start();
    let mut stdin = running.take_stdin();
    let mut rows = String::new();
    for minute in 0..3 {
        for (user, second) in [("u1", 0), ("u2", 15)] {
            let line = event(user, "42", &format!("12:{minute:02}:{second:02}")) + "\n";
            stdin.write_all(line.as_bytes()).expect("the program reads");
        }
        // The event 10 s after the minute closes it: the out-of-orderness.
        if minute > 0 {
            rows += &row("42", minute - 1, 2);
            running.wait_until("rows of the minute before", |running| running.stdout_so_far() == rows);
        }
    }
    drop(stdin);
    let ended = running.wait(LIMIT).succeeds().balances(6, 0, 0, 0);
    assert_eq!(ended.stdout(), rows + &row("42", 2, 2));
}

#[test]
fn a_line_that_comes_in_pieces_is_one_record() {
    let place = Place::new();
    let mut running = place.dataflow(["run", "--source", "-", "--admin-addr", "off"]).stdin(Stdio::piped()).start();
    let mut stdin = running.take_stdin();
    for byte in event("u1", "42", "12:00:00").bytes() {
        stdin.write_all(&[byte]).expect("the program reads");
        stdin.flush().expect("the program reads");
    }
    drop(stdin);
    let ended = running.wait(LIMIT).succeeds().balances(1, 0, 0, 0);
    assert_eq!(ended.stdout(), row("42", 0, 1));
}

#[test]
fn a_demonstration_of_some_events_ends_by_itself() {
    let place = Place::new();
    let flags = ["demo", "--events", "2000", "--rate", "20000", "--speed", "1000"];
    let ended = place.dataflow(flags).run().succeeds();
    assert_eq!(ended.total("received"), 2000);
    assert!(ended.stdout().contains("unique users"), "{}", ended.stdout());
}
