//! The rules of raw events, second part: ids, event types and timestamps.

use schemas::Reason;

use crate::fixtures::{judge, record_with};

const IDS: [(&str, Reason); 2] = [("user_id", Reason::InvalidUserId), ("product_id", Reason::InvalidProductId)];
const TEXTS: [(&str, Reason); 3] = [IDS[0], IDS[1], ("event_type", Reason::InvalidEventType)];

/// What is read of a field that is written as `json`.
fn read(field: &str, json: &str) -> Result<String, Reason> {
    let record = record_with(field, json);
    let event = judge(record.as_bytes())?;
    let value = match field {
        "user_id" => event.user_id,
        "product_id" => event.product_id,
        "event_type" => event.event_type,
        other => panic!("no text field {other:?}"),
    };
    Ok(value.into_owned())
}

#[test]
fn an_integer_id_is_its_digits_as_written() {
    let digits = "1234567890".repeat(25);
    for integer in
        ["0", "7", "-7", "42", "18446744073709551615", "18446744073709551616", "-9223372036854775809", &digits]
    {
        for (field, _) in IDS {
            assert_eq!(read(field, integer).as_deref(), Ok(integer));
        }
    }
}

#[test]
fn minus_zero_stays_minus_zero() {
    for (field, _) in IDS {
        assert_eq!(read(field, "-0").as_deref(), Ok("-0"));
    }
}

#[test]
fn an_integer_id_equals_the_string_of_the_same_characters() {
    for integer in ["0", "-0", "42", "99999999999999999999"] {
        assert_eq!(read("user_id", integer), read("user_id", &format!("\"{integer}\"")));
    }
}

#[test]
fn an_integer_id_has_no_white_space_of_its_own() {
    assert_eq!(read("user_id", " 42 ").as_deref(), Ok("42"));
    assert_eq!(read("product_id", "\n42\t").as_deref(), Ok("42"));
}

#[test]
fn floats_and_exponents_are_no_ids() {
    for number in ["42.0", "42.5", "-0.0", "1e3", "1E3", "1e+3", "1e-3", "0e0", "1.0e1", "10000000000000000000000.0"] {
        for (field, reason) in IDS {
            assert_eq!(read(field, number), Err(reason), "{number}");
        }
    }
}

#[test]
fn true_null_objects_and_arrays_are_no_ids() {
    for value in ["true", "false", "null", "{}", "[]", r#"{"id":"u1"}"#, r#"["u1"]"#, "[1]"] {
        for (field, reason) in TEXTS {
            assert_eq!(read(field, value), Err(reason), "{field} {value}");
        }
    }
}

#[test]
fn an_event_type_is_no_integer() {
    assert_eq!(read("event_type", "7"), Err(Reason::InvalidEventType));
    assert_eq!(read("event_type", "\"7\"").as_deref(), Ok("7"));
}

#[test]
fn every_event_type_is_an_event() {
    for event_type in ["VIEW_PRODUCT", "view_product", "ADD_TO_CART", "x", " ", "浏览"] {
        assert_eq!(read("event_type", &format!("\"{event_type}\"")).as_deref(), Ok(event_type));
    }
}

#[test]
fn the_empty_string_is_no_id() {
    for (field, reason) in TEXTS {
        assert_eq!(read(field, "\"\""), Err(reason));
    }
}

#[test]
fn ids_are_limited_to_256_bytes_after_unescaping() {
    for (field, reason) in TEXTS {
        for (character, bytes, escaped) in
            [("x", 1, r"\u0078"), ("é", 2, r"\u00e9"), ("🧺", 4, r"\ud83e\uddfa"), ("\"", 1, "\\\"")]
        {
            let longest = 256 / bytes;
            let written = |times: usize| format!("\"{}\"", escaped.repeat(times));
            assert_eq!(read(field, &written(longest)), Ok(character.repeat(longest)), "{character}");
            assert_eq!(read(field, &written(longest + 1)), Err(reason), "{character}");
        }
        assert_eq!(read(field, &format!("\"{}\"", "x".repeat(256))), Ok("x".repeat(256)));
        assert_eq!(read(field, &format!("\"{}\"", "x".repeat(257))), Err(reason));
        assert_eq!(read(field, &format!("\"{}é\"", "x".repeat(255))), Err(reason));
    }
}

#[test]
fn an_integer_id_has_at_most_256_characters_with_its_sign() {
    for (field, reason) in IDS {
        assert_eq!(read(field, &"9".repeat(256)), Ok("9".repeat(256)));
        assert_eq!(read(field, &"9".repeat(257)), Err(reason));
        assert!(read(field, &format!("-{}", "9".repeat(255))).is_ok());
        assert_eq!(read(field, &format!("-{}", "9".repeat(256))), Err(reason));
    }
}

#[test]
fn nothing_is_trimmed_or_normalised() {
    for text in [
        " u1",
        "u1 ",
        " ",
        "\u{a0}",
        "U1",
        "01",
        "+1",
        "1.0",
        "e\u{301}",
        "é",
        "ﬁ",
        "\u{200d}",
        "\u{feff}u1",
        "\u{7f}",
        "null",
    ] {
        for (field, _) in TEXTS {
            assert_eq!(read(field, &format!("\"{text}\"")).as_deref(), Ok(text));
        }
    }
    assert_ne!(read("user_id", "\"e\u{301}\""), read("user_id", "\"é\""));
}

#[test]
fn escapes_in_values_do_not_matter() {
    for (written, meant) in [
        (r"\u0075\u0031", "u1"),
        (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r"\ud83e\uddfa", "🧺"),
        (r"\uD83E\uDDFA", "🧺"),
        (r"\u00E9", "é"),
        (r"\uffff", "\u{ffff}"),
    ] {
        for (field, _) in TEXTS {
            assert_eq!(read(field, &format!("\"{written}\"")).as_deref(), Ok(meant));
        }
    }
}

#[test]
fn the_character_nul_is_legal() {
    for (field, _) in TEXTS {
        assert_eq!(read(field, r#""\u0000""#).as_deref(), Ok("\0"));
        assert_eq!(read(field, r#""a\u0000b""#).as_deref(), Ok("a\0b"));
    }
}

#[test]
fn a_lone_surrogate_in_an_id_is_refused() {
    for surrogate in [
        r"\ud800",
        r"\uDBFF",
        r"\udc00",
        r"\uDFFF",
        r"a\ud800b",
        r"\udc00\ud800",
        r"\ud800\ud800",
        r"\ud800\u0041",
        r"\ud83e\n",
    ] {
        for (field, reason) in TEXTS {
            assert_eq!(read(field, &format!("\"{surrogate}\"")), Err(reason), "{surrogate}");
        }
        assert_eq!(
            judge(record_with("timestamp", &format!("\"{surrogate}\"")).as_bytes()),
            Err(Reason::InvalidTimestamp)
        );
    }
}

#[test]
fn a_timestamp_is_a_string_with_a_time() {
    for value in [
        "null",
        "true",
        "0",
        "1704110400000",
        "{}",
        "[]",
        "\"\"",
        "\"now\"",
        "\"2024-01-01\"",
        "\"2024-01-01 12:00:00Z\"",
        "\"2016-12-31T23:59:60Z\"",
    ] {
        assert_eq!(judge(record_with("timestamp", value).as_bytes()), Err(Reason::InvalidTimestamp), "{value}");
    }
}

#[test]
fn escapes_in_a_timestamp_do_not_matter() {
    let record = record_with("timestamp", r#""2024\u002d01-01\u005412:00:00.25\u005a""#);
    assert_eq!(judge(record.as_bytes()).unwrap().timestamp.millis(), 1_704_110_400_250);
}

#[test]
fn a_timestamp_may_have_any_number_of_digits() {
    let record = record_with("timestamp", &format!("\"2024-01-01T12:00:00.{}Z\"", "9".repeat(60_000)));
    assert_eq!(judge(record.as_bytes()).unwrap().timestamp.millis(), 1_704_110_400_999);
}
