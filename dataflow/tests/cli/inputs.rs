//! Which files a source means, and that their number, order and compression make no difference.

use std::fs;
use std::os::unix::fs::symlink;

use crate::fixtures::{event, generated, gzip, row, three_events, three_events_rows, zstandard};
use crate::harness::Place;

#[test]
fn eight_unequal_files_give_the_answer_key_byte_for_byte_with_any_number_of_workers() {
    let place = Place::new();
    generated(&place, &[]);
    for workers in ["1", "2", "4"] {
        place.replay("file:events", &["-w", workers, "--sink", "ndjson:rows"]).succeeds();
        assert!(place.read("rows") == place.read("answers"), "{workers} workers give other rows");
    }
}

#[test]
fn the_rows_on_standard_output_are_those_of_a_file() {
    let place = Place::new();
    generated(&place, &[]);
    let ended = place.replay("file:events", &[]).succeeds();
    assert!(ended.stdout == place.read("answers"));
}

#[test]
fn compressed_files_give_the_same_rows() {
    for (how, extension) in [("zstd", ".zst"), ("gzip", ".gz")] {
        let place = Place::new();
        generated(&place, &["--compress", how]);
        assert!(place.names("events").iter().all(|name| name.ends_with(extension)));
        place.replay("file:events", &["-w", "2", "--sink", "ndjson:rows"]).succeeds();
        assert!(place.read("rows") == place.read("answers"), "{how} gives other rows");
    }
}

#[test]
fn a_glob_pattern_gives_the_same_rows_as_the_folder() {
    let place = Place::new();
    generated(&place, &[]);
    let ended = place.replay("file:events/part-*[0-9].nd?son", &["--sink", "ndjson:rows"]).succeeds();
    assert!(place.read("rows") == place.read("answers"));
    assert!(ended.stderr.contains("in 8 partitions"), "{}", ended.stderr);
}

#[test]
fn a_single_file_is_one_partition() {
    let place = Place::new();
    place.write("events.ndjson", three_events());
    let ended = place.replay("file:events.ndjson", &[]).succeeds().balances(3, 0, 0, 0);
    assert_eq!(ended.stdout(), three_events_rows());
    assert!(ended.stderr.starts_with("replayed 3 records in 1 partition ("), "{}", ended.stderr);
}

#[test]
fn a_path_is_preferred_to_the_pattern_that_it_could_be() {
    let place = Place::new();
    place.write("day[1].ndjson", three_events());
    let ended = place.replay("file:day[1].ndjson", &[]).succeeds();
    assert_eq!(ended.stdout(), three_events_rows());
}

#[test]
fn gzip_members_one_after_the_other_are_one_file() {
    let place = Place::new();
    let lines: Vec<_> = three_events().lines().map(|line| gzip(format!("{line}\n").as_bytes())).collect();
    place.write("events.gz", lines.concat());
    let ended = place.replay("file:events.gz", &[]).succeeds();
    assert_eq!(ended.stdout(), three_events_rows());
}

#[test]
fn an_empty_file_gives_no_rows() {
    let place = Place::new();
    place.write("empty.ndjson", "");
    let ended = place.replay("file:empty.ndjson", &["--rejects", "rejects"]).succeeds().balances(0, 0, 0, 0);
    assert_eq!(ended.stdout(), "");
    assert_eq!(place.text("rejects"), "");
}

#[test]
fn empty_files_among_others_do_not_hold_time_back() {
    let place = Place::new();
    place.folder("events");
    for (name, content) in [("a", String::new()), ("b", three_events()), ("c", String::new())] {
        place.write(&format!("events/{name}"), content);
    }
    for workers in ["1", "3"] {
        let ended = place.replay("file:events", &["-w", workers]).succeeds();
        assert_eq!(ended.stdout(), three_events_rows());
    }
}

#[test]
fn an_empty_folder_is_a_mistake() {
    let place = Place::new();
    place.folder("events");
    place.replay("file:events", &[]).fails(64, "file:events has no files");
}

#[test]
fn hidden_files_and_subfolders_are_skipped() {
    let place = Place::new();
    place.folder("events/older");
    place.write("events/older/a.ndjson", three_events());
    place.write("events/.b.ndjson", three_events());
    place.replay("file:events", &[]).fails(64, "no files");
    place.write("events/c.ndjson", event("u9", "9", "12:00:00"));
    for source in ["file:events", "file:events/*"] {
        let ended = place.replay(source, &[]).succeeds();
        assert_eq!(ended.stdout(), row("9", 0, 1), "{source}");
    }
}

#[test]
fn what_cannot_be_opened_is_named() {
    let place = Place::new();
    place.write("plain", "");
    symlink("loop", place.path("loop")).expect("the folder takes links");
    place.folder("dangling");
    symlink("nowhere", place.path("dangling/link")).expect("the folder takes links");
    place.replay("file:absent", &[]).fails(64, "cannot open absent: No such file");
    place.replay("file:plain/events", &[]).fails(64, "cannot open plain/events: Not a directory");
    place.replay("file:loop", &[]).fails(64, "cannot open loop: ");
    place.replay("file:dangling", &[]).fails(64, "cannot open dangling/link: No such file");
    place.replay("file:absent*", &[]).fails(64, "file:absent* matches no file");
    place.replay("file:[", &[]).fails(64, "file:[");
}

#[test]
fn nothing_is_written_when_a_source_cannot_be_opened() {
    let place = Place::new();
    place.replay("file:absent", &["--sink", "ndjson:rows", "--rejects", "rejects"]).fails(64, "absent");
    assert_eq!(place.names("."), Vec::<String>::new());
}

#[test]
fn a_folder_on_standard_input_cannot_be_read() {
    let place = Place::new();
    let folder = fs::File::open(place.path(".")).expect("the folder opens");
    let program = place.dataflow(["replay", "--source", "-"]).stdin(folder);
    program.run().fails(74, "cannot read standard input: Is a directory");
}

#[test]
fn more_files_than_a_shell_lets_a_program_open_are_read_all_the_same() {
    let place = Place::new();
    place.folder("many");
    for file in 0..200 {
        place.write(&format!("many/{file:03}.ndjson"), event(&format!("u{file}"), "a", "12:00:00"));
    }
    let output = std::process::Command::new("sh")
        .args(["-c", r#"ulimit -S -n 64 && exec "$0" "$@""#, env!("CARGO_BIN_EXE_dataflow"), "replay", "--source"])
        .arg(format!("file:{}", place.path("many").display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), row("a", 0, 200));
}

#[test]
fn compressed_events_are_known_by_how_they_begin_where_there_is_no_name() {
    for compressed in [gzip(three_events().as_bytes()), zstandard(three_events().as_bytes())] {
        let place = Place::new();
        let ended = place.dataflow(["replay", "--source", "-"]).run_with_input(compressed.clone()).succeeds();
        assert_eq!(ended.stdout(), three_events_rows());

        place.write("events.ndjson", &compressed);
        assert_eq!(place.replay("file:events.ndjson", &[]).succeeds().stdout(), three_events_rows());

        let cut_off = compressed[..compressed.len() - 9].to_vec();
        let ended = place.dataflow(["replay", "--source", "-"]).run_with_input(cut_off);
        ended.fails(65, "cannot decompress standard input");
    }
}
