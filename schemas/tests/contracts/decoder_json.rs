//! The rules of raw events, first part: what a record is.

use schemas::{MAX_NESTING, MAX_RECORD_BYTES, Reason};

use crate::fixtures::{OWNERS_EVENT, judge, record_with};

fn assert_refused(record: impl AsRef<[u8]>, reason: Reason) {
    let record = record.as_ref();
    assert_eq!(judge(record), Err(reason), "{}", record.escape_ascii());
}

fn assert_accepted(record: impl AsRef<[u8]>) {
    let record = record.as_ref();
    assert!(judge(record).is_ok(), "{:?}: {}", judge(record), record.escape_ascii());
}

/// A valid record whose ignored field `metadata` is written as `json`.
fn ignoring(json: &str) -> String {
    record_with("metadata", json)
}

/// A valid record of so many bytes.
fn record_of_bytes(bytes: usize) -> String {
    let frame = ignoring("\"\"").len();
    ignoring(&format!("\"{}\"", "m".repeat(bytes - frame)))
}

/// A valid record of so many levels of arrays and objects, its own object included.
fn record_of_levels(levels: usize) -> String {
    let wrap = |inner: String, level| if level % 2 == 0 { format!("[{inner}]") } else { format!("{{\"a\":{inner}}}") };
    ignoring(&(1..levels).fold("0".to_owned(), wrap))
}

#[test]
fn the_owners_example_is_an_event() {
    let event = judge(OWNERS_EVENT.as_bytes()).unwrap();
    assert_eq!((event.user_id.as_ref(), event.product_id.as_ref()), ("u123", "42"));
    assert_eq!((event.event_type.as_ref(), event.timestamp.millis()), ("VIEW_PRODUCT", 1_704_110_400_000));
}

#[test]
fn a_record_without_bytes_is_empty_and_one_of_white_space_is_not_json() {
    assert_refused("", Reason::Empty);
    for blank in [" ", "\n", "\t \r\n"] {
        assert_refused(blank, Reason::NotJson);
    }
}

#[test]
fn a_record_of_65536_bytes_is_accepted_and_one_more_is_too_large() {
    assert_eq!(record_of_bytes(MAX_RECORD_BYTES).len(), 65_536);
    assert_accepted(record_of_bytes(MAX_RECORD_BYTES));
    assert_refused(record_of_bytes(MAX_RECORD_BYTES + 1), Reason::TooLarge);
}

#[test]
fn the_size_is_judged_before_the_encoding_and_the_syntax() {
    assert_refused(vec![0xff; MAX_RECORD_BYTES + 1], Reason::TooLarge);
    assert_refused(vec![0xff; MAX_RECORD_BYTES], Reason::NotUtf8);
    assert_refused(" ".repeat(MAX_RECORD_BYTES + 1), Reason::TooLarge);
}

#[test]
fn the_fast_layout_has_the_same_size_limit() {
    let frame = OWNERS_EVENT.len() - "abc".len();
    for (bytes, accepted) in [(MAX_RECORD_BYTES, true), (MAX_RECORD_BYTES + 1, false)] {
        let record = OWNERS_EVENT.replace("abc", &"m".repeat(bytes - frame));
        assert_eq!(record.len(), bytes);
        assert_eq!(judge(record.as_bytes()).is_ok(), accepted, "{bytes}");
        assert_eq!(schemas::FastDecoder::default().decode(record.as_bytes()).is_some(), accepted, "{bytes}");
    }
}

#[test]
fn a_record_is_utf8_in_ignored_fields_too() {
    let wrong: [&[u8]; 7] = [b"\xff", b"\xe9", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe5\x95"];
    for bytes in wrong {
        let record = [br#"{"metadata":""#, bytes, br#"","user_id":1}"#].concat();
        assert_refused(record, Reason::NotUtf8);
        let fast = [&OWNERS_EVENT.as_bytes()[..12], bytes, &OWNERS_EVENT.as_bytes()[12..]].concat();
        assert_refused(fast, Reason::NotUtf8);
    }
}

#[test]
fn utf16_is_not_utf8_or_not_json() {
    let little: Vec<u8> = OWNERS_EVENT.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_refused(&little, Reason::NotJson);
    assert_refused([b"\xff\xfe", &little[..]].concat(), Reason::NotUtf8);
}

#[test]
fn a_byte_order_mark_in_a_record_is_not_json() {
    assert_refused(format!("\u{feff}{OWNERS_EVENT}"), Reason::NotJson);
    assert_refused(format!("{OWNERS_EVENT}\u{feff}"), Reason::NotJson);
}

#[test]
fn nothing_follows_the_object() {
    for tail in ["x", "}", ",", "{}", "\0", "null", " 1", "//"] {
        assert_refused(format!("{OWNERS_EVENT}{tail}"), Reason::NotJson);
    }
    assert_refused(format!("{OWNERS_EVENT}\n{OWNERS_EVENT}"), Reason::NotJson);
}

#[test]
fn white_space_is_space_tab_line_feed_and_carriage_return_alone() {
    for space in [" ", "\t", "\n", "\r", "\r\n"] {
        assert_accepted(format!("{space}{OWNERS_EVENT}{space}"));
        assert_accepted(
            OWNERS_EVENT
                .replace(':', &format!("{space}:{space}"))
                .replace(&format!("T12{space}:{space}00{space}:{space}00"), "T12:00:00"),
        );
        assert_accepted(OWNERS_EVENT.replace(',', &format!("{space},{space}")));
    }
    for other in ["\u{b}", "\u{c}", "\u{a0}", "\u{2028}", "\u{3000}", "\0"] {
        assert_refused(format!("{other}{OWNERS_EVENT}"), Reason::NotJson);
        assert_refused(OWNERS_EVENT.replace(',', &format!(",{other}")), Reason::NotJson);
    }
}

#[test]
fn values_that_are_no_objects_are_not_an_object() {
    for value in ["null", "true", "42", "-0.5e1", "\"x\"", "[]", "[{}]", &format!("[{OWNERS_EVENT}]"), " [ 1 ] "] {
        assert_refused(value, Reason::NotAnObject);
    }
}

#[test]
fn not_being_an_object_is_judged_before_the_nesting() {
    assert_refused(format!("{}{}", "[".repeat(200), "]".repeat(200)), Reason::NotAnObject);
}

#[test]
fn what_looks_like_json_and_is_not_is_not_json() {
    for text in [
        "{",
        "}",
        "{]",
        "nul",
        "tru",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1;}",
        "{1:1}",
        "{null:1}",
        "/**/{}",
        "{}//",
    ] {
        assert_refused(text, Reason::NotJson);
    }
}

#[test]
fn nesting_of_128_is_accepted_and_129_refused() {
    for levels in [1, 2, 3, 126, 127, MAX_NESTING] {
        assert_accepted(record_of_levels(levels));
    }
    for levels in [MAX_NESTING + 1, MAX_NESTING + 2, 5000] {
        assert_refused(record_of_levels(levels), Reason::TooDeep);
    }
}

#[test]
fn nesting_counts_objects_alone_and_arrays_alone() {
    let inner = MAX_NESTING - 1;
    let arrays = |levels: usize| ignoring(&format!("{}{}", "[".repeat(levels), "]".repeat(levels)));
    let objects = |levels: usize| ignoring(&format!("{}0{}", "{\"a\":".repeat(levels), "}".repeat(levels)));
    assert_accepted(arrays(inner));
    assert_refused(arrays(inner + 1), Reason::TooDeep);
    assert_accepted(objects(inner));
    assert_refused(objects(inner + 1), Reason::TooDeep);
}

#[test]
fn nesting_is_depth_and_not_number() {
    assert_accepted(ignoring(&format!("[{}]", vec!["[{}]"; 1000].join(","))));
}

#[test]
fn brackets_in_strings_and_keys_are_no_nesting() {
    for text in [
        "[".repeat(200),
        "{".repeat(200),
        format!("{}{}", r#"\""#, "[".repeat(200)),
        format!("{}{}", r"\\\\", "{".repeat(200)),
    ] {
        assert_accepted(ignoring(&format!("\"{text}\"")));
        assert_accepted(ignoring(&format!("{{\"{text}\":1}}")));
    }
    // A string that ends in an escaped backslash does not swallow what follows.
    assert_refused(ignoring(&format!(r#"["\\",{}{}]"#, "[".repeat(200), "]".repeat(200))), Reason::TooDeep);
}

#[test]
fn nesting_is_judged_before_the_fields_and_syntax_before_nesting() {
    let deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
    assert_refused(format!("{{\"a\":{deep}}}"), Reason::TooDeep);
    assert_refused(format!("{{\"a\":{deep}"), Reason::NotJson);
    assert_refused(format!("{{\"a\":{}", "[".repeat(60_000)), Reason::NotJson);
    assert_refused(format!("{{\"user_id\":{deep}}}"), Reason::TooDeep);
}

#[test]
fn invalid_numbers_in_ignored_fields_are_not_json() {
    for number in [
        "01",
        "-01",
        "1.",
        ".5",
        "+1",
        "-",
        "1e",
        "1e+",
        "0x1",
        "1_000",
        "NaN",
        "Infinity",
        "-Infinity",
        "1.e1",
        "--1",
        "00",
    ] {
        assert_refused(ignoring(number), Reason::NotJson);
        assert_refused(ignoring(&format!("{{\"a\":[{number}]}}")), Reason::NotJson);
        assert_refused(record_with("user_id", number), Reason::NotJson);
    }
}

#[test]
fn numbers_of_any_size_are_fine_in_ignored_fields() {
    for number in [
        "0",
        "-0",
        "-0.0",
        "1e400",
        "-1E-400",
        "1e+0",
        "99999999999999999999999999",
        &"9".repeat(10_000),
        &format!("0.{}", "1".repeat(10_000)),
        "1e99999999999999999999",
    ] {
        assert_accepted(ignoring(number));
    }
}

#[test]
fn raw_control_characters_in_strings_are_not_json_in_ignored_fields_too() {
    for control in 0..0x20_u8 {
        let control = char::from(control);
        assert_refused(ignoring(&format!("\"a{control}b\"")), Reason::NotJson);
        assert_refused(ignoring(&format!("{{\"a{control}b\":1}}")), Reason::NotJson);
        assert_refused(record_with("user_id", &format!("\"a{control}b\"")), Reason::NotJson);
        assert_refused(OWNERS_EVENT.replace("abc", &format!("a{control}c")), Reason::NotJson);
    }
    assert_accepted(ignoring("\"\u{7f}\u{80}\u{9f}\""));
}

#[test]
fn invalid_escapes_in_ignored_fields_and_keys_are_not_json() {
    for escape in [r"\x", r"\u", r"\u12", r"\u12g4", r"\U0041", r"\'", r"\0", r"\ ", r"\u{41}", r"\u+123"] {
        assert_refused(ignoring(&format!("\"{escape}\"")), Reason::NotJson);
        assert_refused(ignoring(&format!("{{\"{escape}\":1}}")), Reason::NotJson);
        assert_refused(record_with(escape, "1"), Reason::NotJson);
    }
}

#[test]
fn a_lone_surrogate_is_fine_in_ignored_fields_and_keys() {
    for surrogate in [
        r"\ud800",
        r"\uDBFF",
        r"\udc00",
        r"\uDFFF",
        r"\udc00\ud800",
        r"\ud800\ud800",
        r"\ud800\u0041",
        r"\ud800x",
        r"\ud800\n",
    ] {
        assert_accepted(ignoring(&format!("\"{surrogate}\"")));
        assert_accepted(ignoring(&format!("{{\"{surrogate}\":[\"{surrogate}\"]}}")));
        assert_accepted(record_with(surrogate, "1"));
    }
}

#[test]
fn unknown_fields_are_ignored_whatever_their_values() {
    for value in
        ["null", "true", "[]", "{}", "\"\"", "1.5", r#"{"user_id":null,"timestamp":7}"#, r#"[{"product_id":[]}]"#]
    {
        assert_accepted(record_with("extra", value));
        assert_accepted(record_with("", value));
        assert_accepted(ignoring(value));
    }
}

#[test]
fn metadata_is_not_required() {
    assert_accepted(record_with("user_id", "\"u1\""));
}

#[test]
fn key_order_does_not_matter() {
    let fields =
        [r#""user_id":"u1""#, r#""product_id":"p1""#, r#""event_type":"V""#, r#""timestamp":"2024-01-01T12:00:00Z""#];
    let expected = judge(
        b"{\"user_id\":\"u1\",\"product_id\":\"p1\",\"event_type\":\"V\",\"timestamp\":\"2024-01-01T12:00:00Z\"}",
    );
    assert!(expected.is_ok());
    for a in 0..4 {
        for b in (0..4).filter(|&b| b != a) {
            for c in (0..4).filter(|&c| c != a && c != b) {
                let d = 6 - a - b - c;
                let record = format!("{{{}}}", [fields[a], fields[b], fields[c], fields[d]].join(","));
                assert_eq!(judge(record.as_bytes()), expected, "{record}");
            }
        }
    }
}

#[test]
fn escapes_in_keys_do_not_matter() {
    for key in
        [r"user_id", r"\u0075ser_id", r"user\u005fid", r"user\u005Fid", r"\u0075\u0073\u0065\u0072\u005f\u0069\u0064"]
    {
        let record =
            format!(r#"{{"{key}":"u1","product_id":"1","event_type":"V","timestamp":"2024-01-01T12:00:00Z"}}"#);
        assert_eq!(judge(record.as_bytes()).unwrap().user_id, "u1");
    }
}

#[test]
fn keys_are_compared_to_the_letter() {
    for key in
        ["User_id", "USER_ID", "userId", "user_id ", " user_id", "user\\u005f\\u005fid", "user_id\\u0000", "üser_id"]
    {
        let record =
            format!(r#"{{"{key}":"u1","product_id":"1","event_type":"V","timestamp":"2024-01-01T12:00:00Z"}}"#);
        assert_refused(record, Reason::MissingUserId);
    }
}

#[test]
fn of_duplicate_keys_only_the_last_value_is_judged() {
    let rest = r#""product_id":"1","event_type":"V","timestamp":"2024-01-01T12:00:00Z""#;
    for first in ["null", "1.5", "\"\"", r#""\ud800""#, "[]", "\"other\""] {
        let record = format!(r#"{{"user_id":{first},{rest},"user_id":"u1"}}"#);
        assert_eq!(judge(record.as_bytes()).unwrap().user_id, "u1", "{record}");
        let escaped = format!(r#"{{"user_id":{first},{rest},"\u0075ser_id":"u1"}}"#);
        assert_eq!(judge(escaped.as_bytes()).unwrap().user_id, "u1", "{escaped}");
    }
    assert_refused(format!(r#"{{"user_id":"u1",{rest},"user_id":null}}"#), Reason::InvalidUserId);
    assert_refused(format!(r#"{{{rest},"user_id":"u1","timestamp":0}}"#), Reason::InvalidTimestamp);
}

#[test]
fn a_duplicate_that_is_not_judged_is_still_json() {
    assert_refused(OWNERS_EVENT.replacen('{', r#"{"user_id":01,"#, 1), Reason::NotJson);
}
