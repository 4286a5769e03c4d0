//! Output files: complete or as they were, and never in each other's way.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::fixtures::{event, gzip, three_events, three_events_rows};
use crate::harness::Place;

fn place_with_events() -> Place {
    let place = Place::new();
    place.write("events", three_events());
    place
}

fn mode_of(place: &Place, name: &str) -> u32 {
    fs::metadata(place.path(name)).expect("the file is there").permissions().mode() & 0o777
}

#[test]
fn an_existing_file_is_replaced_on_success_and_keeps_its_permissions() {
    let place = place_with_events();
    for mode in [0o600, 0o666, 0o640] {
        place.write("rows", "old");
        fs::set_permissions(place.path("rows"), fs::Permissions::from_mode(mode)).expect("the file is ours");
        place.replay("file:events", &["--sink", "ndjson:rows"]).succeeds();
        assert_eq!(place.text("rows"), three_events_rows());
        assert_eq!(mode_of(&place, "rows"), mode);
    }
    place.has_no_partial_files();
}

#[test]
fn whoever_has_the_old_file_open_reads_the_old_rows() {
    let place = place_with_events();
    place.write("rows", "old");
    let open = fs::File::open(place.path("rows")).expect("the file is there");
    place.replay("file:events", &["--sink", "ndjson:rows"]).succeeds();
    assert_eq!(std::io::read_to_string(open).expect("it can be read"), "old");
}

#[test]
fn a_failed_replay_leaves_every_output_as_it_was() {
    let place = Place::new();
    let archive = gzip(three_events().repeat(1000).as_bytes());
    place.write("events.gz", &archive[..archive.len() / 2]);
    for output in ["rows", "rejects", "late"] {
        place.write(output, "old");
    }
    let flags = ["--sink", "ndjson:rows", "--rejects", "rejects", "--late", "late"];
    let ended = place.replay("file:events.gz", &flags).fails(65, "cannot decompress events.gz");
    assert!(!ended.stderr.contains("kept in"), "nothing was kept:\n{}", ended.stderr);
    for output in ["rows", "rejects", "late"] {
        assert_eq!(place.text(output), "old");
    }
    place.has_no_partial_files();
}

#[test]
fn a_link_stays_and_the_file_that_it_points_to_is_replaced() {
    let place = place_with_events();
    place.folder("results");
    place.write("results/rows", "old");
    symlink("results/rows", place.path("link")).expect("the folder takes links");
    symlink("results/new", place.path("dangling")).expect("the folder takes links");
    place.replay("file:events", &["--sink", "ndjson:link", "--sink", "ndjson:dangling"]).succeeds();
    for (link, file) in [("link", "results/rows"), ("dangling", "results/new")] {
        assert!(place.path(link).is_symlink(), "{link} was replaced");
        assert_eq!(place.text(file), three_events_rows());
    }
}

#[test]
fn places_that_cannot_be_written_are_named_before_anything_is_read() {
    let place = place_with_events();
    place.folder("folder");
    for (path, why) in [
        ("absent/rows", "cannot write absent/rows: No such file or directory"),
        ("folder", "cannot write folder: is a directory"),
        ("new/", "cannot write new/: is a directory"),
        ("events/rows", "cannot write events/rows: Not a directory"),
    ] {
        for flag in ["--rejects", "--late"] {
            let ended = place.replay("file:events", &[flag, path]).fails(74, why);
            assert_eq!(ended.stdout(), "", "{flag} {path}");
        }
        place.replay("file:events", &["--sink", &format!("ndjson:{path}")]).fails(74, why);
    }
    place.has_no_partial_files();
}

#[test]
fn two_outputs_have_two_places() {
    let place = place_with_events();
    place.write("old", "");
    symlink("old", place.path("link")).expect("the folder takes links");
    for flags in [
        ["--sink", "ndjson:rows", "--sink", "ndjson:rows"],
        ["--sink", "ndjson:rows", "--sink", "ndjson:./rows"],
        ["--sink", "ndjson:old", "--rejects", "link"],
        ["--rejects", "kept", "--late", "kept"],
        ["--sink", "stdout", "--sink", "stdout"],
        ["--sink", "stdout", "--sink", "table"],
    ] {
        place.replay("file:events", &flags).fails(64, "is the place of two outputs");
    }
}

#[test]
fn an_input_is_no_output() {
    let place = place_with_events();
    for flags in [["--sink", "ndjson:events"], ["--rejects", "./events"], ["--late", "events"]] {
        place.replay("file:events", &flags).fails(64, "is an input and an output");
        let file = fs::File::open(place.path("events")).expect("the file is there");
        let program = place.dataflow(["replay", "--source", "-"].iter().chain(&flags)).stdin(file);
        program.run().fails(64, "is an input and an output");
        assert_eq!(place.text("events"), three_events());
    }
}

#[test]
fn rows_go_to_several_sinks_at_once() {
    let place = place_with_events();
    let ended = place.replay("file:events", &["--sink", "stdout,ndjson:a", "--sink", "ndjson:b"]).succeeds();
    assert_eq!(ended.stdout(), three_events_rows());
    assert_eq!(place.text("a"), three_events_rows());
    assert_eq!(place.text("b"), three_events_rows());
}

#[test]
fn ids_in_a_table_cannot_steer_the_terminal_nor_fill_it() {
    let place = Place::new();
    place
        .write("events", event("u1", r"a\u001b[2J\nb", "12:00:00") + "\n" + &event("u1", &"7".repeat(200), "12:00:00"));
    let ended = place.replay("file:events", &["--sink", "table"]).succeeds();
    assert!(ended.stdout().contains("2 products viewed"), "{}", ended.stdout());
    assert!(ended.stdout().contains("a\u{fffd}[2J\u{fffd}b "), "{}", ended.stdout());
    assert!(ended.stdout().lines().all(|line| line.chars().count() < 100), "{}", ended.stdout());
}
