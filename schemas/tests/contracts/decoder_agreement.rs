//! The fast path, the general path and what the specification says: one verdict.

use proptest::prelude::*;
use proptest::sample::Index;
use schemas::{FastDecoder, RawEvent, decode_general};

use crate::decoder_oracle::compare;
use crate::fixtures::{cases, judge};
use crate::texts::{canonical, event};

/// One change to the bytes of a record.
#[derive(Clone, Debug)]
enum Damage {
    Replace(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Truncate(Index),
    Repeat(Index, Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let telling = b"\"\\{}[]:,.0129eE+- \t\n\0\x1f\x20\x7f\x80\xc3\xa9\xed\xf0\xff/untTZz";
    let byte = prop_oneof![prop::sample::select(telling.to_vec()), any::<u8>()];
    prop_oneof![
        4 => (any::<Index>(), byte.clone()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        2 => (any::<Index>(), byte).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        2 => any::<Index>().prop_map(Damage::Remove),
        1 => any::<Index>().prop_map(Damage::Truncate),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Damage::Repeat(from, to)),
    ]
}

fn damaged(mut record: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        if record.is_empty() {
            break;
        }
        match damage {
            Damage::Replace(at, byte) => *at.get_mut(&mut record) = *byte,
            Damage::Insert(at, byte) => record.insert(at.index(record.len()), *byte),
            Damage::Remove(at) => drop(record.remove(at.index(record.len()))),
            Damage::Truncate(at) => record.truncate(at.index(record.len())),
            Damage::Repeat(from, to) => {
                let (from, to) = (from.index(record.len()), to.index(record.len()));
                let part = record[from.min(to)..from.max(to)].to_vec();
                record.splice(from..from, part);
            }
        }
    }
    record
}

/// JSON's own words in any order.
fn soup() -> impl Strategy<Value = String> {
    let words = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\",
        " ",
        "\"user_id\"",
        "\"product_id\"",
        "\"event_type\"",
        "\"timestamp\"",
        "\"u1\"",
        "1",
        "-",
        ".",
        "e",
        "0",
        "null",
        "true",
        "\\ud800",
        "\\u00e9",
        "é",
        "\u{0}",
        "\"2024-01-01T12:00:00Z\"",
        "{\"user_id\":",
        ",\"product_id\":",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..24).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn the_common_layout_is_read_by_the_fast_path_as_by_the_general_one(record in canonical()) {
        let fast = FastDecoder::default().decode(record.as_bytes());
        prop_assert!(fast.is_some(), "{}", record);
        let general = decode_general(record.as_bytes()).ok();
        prop_assert_eq!(fast, general.as_ref().map(RawEvent::view));
    }

    #[test]
    fn a_decoder_that_has_read_other_records_reads_as_a_fresh_one(records in prop::collection::vec(canonical(), 1..12)) {
        let lines = records.iter().map(|record| format!("{record}\n")).collect::<String>();
        let (mut decoder, mut rest) = (FastDecoder::default(), lines.as_bytes());
        for record in &records {
            let (event, len) = decoder.decode_line(rest).unwrap();
            prop_assert_eq!(Some(event), FastDecoder::default().decode(record.as_bytes()));
            prop_assert_eq!(len, record.len());
            rest = &rest[len + 1..];
        }
        prop_assert!(decoder.decode_line(rest).is_none());
    }

    #[test]
    fn spliced_records_get_one_verdict(head in canonical(), tail in canonical(), cut in any::<Index>(), join in any::<Index>()) {
        let mut record = head.into_bytes();
        record.truncate(cut.index(record.len()));
        record.extend_from_slice(&tail.as_bytes()[join.index(tail.len())..]);
        let _ = judge(&record);
    }

    #[test]
    fn events_in_any_spelling_mean_what_the_specification_says(event in event()) {
        let verdict = judge(event.json.as_bytes()).map(|event| {
            (event.user_id.into_owned(), event.product_id.into_owned(), event.event_type.into_owned(), event.timestamp)
        });
        prop_assert_eq!(verdict, event.verdict(), "{}", event.json);
    }

    #[test]
    fn damaged_events_in_any_spelling_get_the_verdict_of_an_independent_judge(event in event(), damages in prop::collection::vec(damage(), 0..3)) {
        compare(&damaged(event.json.into_bytes(), &damages));
    }

    #[test]
    fn damaged_records_of_the_common_layout_get_the_verdict_of_an_independent_judge(record in canonical(), damages in prop::collection::vec(damage(), 0..3)) {
        compare(&damaged(record.into_bytes(), &damages));
    }

    #[test]
    fn json_words_and_any_bytes_get_the_verdict_of_an_independent_judge(words in soup(), bytes in prop::collection::vec(any::<u8>(), 0..160)) {
        compare(words.as_bytes());
        compare(&bytes);
    }
}

/// Times are read without looking for control characters in them first.
#[test]
fn a_time_of_control_characters_is_no_time() {
    for byte in 0..0x20_u8 {
        for len in [1, 2, 8, 15, 16, 17, 24] {
            let time = [&vec![byte; len][..], &b"2024-01-01T12:00:00.000Z"[len..]].concat();
            let record =
                [br#"{"user_id":"u1","product_id":"1","event_type":"V","timestamp":""#, &time[..], br#""}"#].concat();
            assert_eq!(FastDecoder::default().decode(&record), None, "{}", record.escape_ascii());
            assert_eq!(judge(&record), Err(schemas::Reason::NotJson), "{}", record.escape_ascii());
        }
    }
}

/// A string's end is looked for sixteen bytes at a time: at every distance, every ASCII byte is taken for what it is.
#[test]
fn every_ascii_byte_is_recognised_at_every_place_in_a_string() {
    for before in 0..=24 {
        for after in [0, 1, 7, 8, 9] {
            for byte in 0..=0x7f_u8 {
                let id = [&vec![b'a'; before][..], &[byte], &vec![b'!'; after]].concat();
                let id = String::from_utf8(id).unwrap();
                let record = format!(
                    r#"{{"user_id":"{id}","product_id":"1","event_type":"V","timestamp":"2024-01-01T12:00:00Z"}}"#
                );
                let fast = FastDecoder::default().decode(record.as_bytes());
                if byte < 0x20 || byte == b'"' || byte == b'\\' {
                    assert_eq!(fast, None, "{byte:#04x} after {before}, before {after}");
                } else {
                    assert_eq!(fast.unwrap().user_id, id.as_bytes(), "{byte:#04x} after {before}, before {after}");
                }
                let _ = judge(record.as_bytes());
            }
        }
    }
}

#[test]
fn every_other_character_is_plain_at_every_place_in_a_string() {
    for before in 0..=24 {
        for c in ['\u{80}', 'é', 'ÿ', '\u{7ff}', '\u{800}', '商', '\u{ffff}', '🧺', '\u{10ffff}'] {
            let id = format!("{}{c}{c}\u{7f}!#", "a".repeat(before));
            let record =
                format!(r#"{{"user_id":"{id}","product_id":"1","event_type":"V","timestamp":"2024-01-01T12:00:00Z"}}"#);
            assert_eq!(FastDecoder::default().decode(record.as_bytes()).unwrap().user_id, id.as_bytes());
            let _ = judge(record.as_bytes());
        }
    }
}

#[test]
fn every_beginning_of_a_record_gets_one_verdict() {
    let record = crate::fixtures::OWNERS_EVENT.as_bytes();
    for len in 0..record.len() {
        assert!(judge(&record[..len]).is_err(), "{len} bytes");
    }
    assert!(judge(record).is_ok());
}
