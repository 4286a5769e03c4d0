//! Archives that are no archives any more: one sentence and exit code 65.

use crate::fixtures::{gzip, three_events, zstandard};
use crate::harness::Place;

fn replay_damaged(name: &str, content: &[u8]) {
    let place = Place::new();
    place.write(name, content);
    let ended = place.replay(&format!("file:{name}"), &["--sink", "ndjson:rows"]);
    ended.fails(65, &format!("cannot decompress {name}: "));
    assert_eq!(place.names("."), [name]);
}

fn events() -> Vec<u8> {
    three_events().repeat(2000).into_bytes()
}

#[test]
fn a_gzip_file_that_is_cut_off_is_damaged() {
    let archive = gzip(&events());
    for len in [0, 5, archive.len() / 2, archive.len() - 1] {
        replay_damaged("events.gz", &archive[..len]);
    }
}

#[test]
fn a_zstandard_file_that_is_cut_off_is_damaged() {
    let archive = zstandard(&events());
    for len in [0, 3, archive.len() / 2, archive.len() - 1] {
        replay_damaged("events.zst", &archive[..len]);
    }
}

#[test]
fn a_compressed_file_with_a_flipped_bit_is_damaged() {
    let mut archive = gzip(&events());
    // In the checksum, which stands before the length at the end.
    let place = archive.len() - 6;
    archive[place] ^= 1;
    replay_damaged("events.gz", &archive);
}

#[test]
fn plain_text_under_the_name_of_an_archive_is_damaged() {
    replay_damaged("events.gz", &events());
    replay_damaged("events.zst", &events());
}

#[test]
fn a_damaged_file_among_good_ones_fails_the_whole_replay() {
    let place = Place::new();
    place.folder("events");
    place.write("events/a", three_events());
    place.write("events/b.gz", "not gzip");
    place.write("events/c", three_events());
    for workers in ["1", "3"] {
        let ended = place.replay("file:events", &["-w", workers, "--sink", "ndjson:rows"]);
        ended.fails(65, "cannot decompress events/b.gz: ");
        assert_eq!(place.names("."), ["events"]);
    }
}
