//! A line without end: memory stays bounded and nothing of it is lost sight of.

use std::io::Write;
use std::process::Stdio;
use std::thread;

use serde_json::Value;

use crate::harness::{LIMIT, Place};

const PIECE: usize = 1 << 20;
const PIECES: usize = 300;
const MEMORY_LIMIT_MIB: u64 = 200;
/// As `head -c 300M /dev/zero | tr '\\0' x | sha256sum` has it.
const SHA256: &str = "50b4bbfa815e75067a6279c619606e36f91467c7b2c55b09ce8b5dad19b5f18c";

#[test]
fn a_line_of_300_mib_is_one_rejected_record_in_bounded_memory() {
    let place = Place::new();
    let flags = ["replay", "--source", "-", "--rejects", "rejects"];
    let mut running = place.dataflow(flags).stdin(Stdio::piped()).start();
    let mut stdin = running.take_stdin();
    let writer = thread::spawn(move || {
        let piece = vec![b'x'; PIECE];
        (0..PIECES).try_for_each(|_| stdin.write_all(&piece)).map(|()| stdin)
    });
    running.wait_until("end of the writing", |_| writer.is_finished());
    let stdin = writer.join().expect("the writer does not panic").expect("the program reads to the end");
    let memory = running.most_memory_mib();
    assert!((1..MEMORY_LIMIT_MIB).contains(&memory), "{memory} MiB");
    drop(stdin);

    let ended = running.wait(LIMIT).succeeds().balances(0, 0, 1, 0);
    assert_eq!(ended.total("too_large"), 1);
    let line: Value = serde_json::from_slice(&place.read("rejects")).expect("one line of JSON");
    assert_eq!(line["reason"], "too_large");
    assert_eq!(line["offset"], 1);
    assert_eq!(line["original_length"], PIECE * PIECES);
    assert_eq!(line["text"].as_str().map(str::len), Some(65_536));
    assert_eq!(line["original_sha256"], SHA256);
}
