//! Random JSON texts: any spelling that RFC 8259 allows, and what the required fields mean.

use proptest::prelude::*;
use schemas::{EventTime, Reason};

use crate::generators::matching;

/// What a text means to the judge of a field.
#[derive(Clone, Debug)]
pub(crate) enum Meaning {
    /// A string of these characters.
    Text(String),
    /// An integer literal; its text is its meaning.
    Integer,
    /// A string with a lone surrogate, or any other value.
    Nothing,
}

/// A JSON value as written, and what it means.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) json: String,
    pub(crate) meaning: Meaning,
}

/// An event as written, with the last value of each required field.
#[derive(Clone, Debug)]
pub(crate) struct WrittenEvent {
    pub(crate) json: String,
    fields: [Option<Written>; 4],
}

const REQUIRED: [&str; 4] = ["user_id", "product_id", "event_type", "timestamp"];

impl WrittenEvent {
    /// What the specification says of the event: ids and type as meant, and the time; or the reason.
    pub(crate) fn verdict(&self) -> Result<(String, String, String, EventTime), Reason> {
        let [user_id, product_id, event_type, timestamp] = &self.fields;
        let id = |field: &Option<Written>, missing, invalid| {
            let written = field.as_ref().ok_or(missing)?;
            let text = match &written.meaning {
                Meaning::Text(text) => text.clone(),
                Meaning::Integer => written.json.clone(),
                Meaning::Nothing => return Err(invalid),
            };
            if (1..=256).contains(&text.len()) { Ok(text) } else { Err(invalid) }
        };
        let text = |field: &Option<Written>, missing, invalid| match field.as_ref().ok_or(missing)?.meaning {
            Meaning::Text(ref text) => Ok(text.clone()),
            Meaning::Integer | Meaning::Nothing => Err(invalid),
        };
        let user_id = id(user_id, Reason::MissingUserId, Reason::InvalidUserId)?;
        let product_id = id(product_id, Reason::MissingProductId, Reason::InvalidProductId)?;
        let event_type = text(event_type, Reason::MissingEventType, Reason::InvalidEventType)?;
        if !(1..=256).contains(&event_type.len()) {
            return Err(Reason::InvalidEventType);
        }
        let timestamp = text(timestamp, Reason::MissingTimestamp, Reason::InvalidTimestamp)?;
        let timestamp = EventTime::parse(timestamp.as_bytes()).map_err(|_| Reason::InvalidTimestamp)?;
        Ok((user_id, product_id, event_type, timestamp))
    }
}

/// Insignificant white space.
fn space() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "", "", " ", "\n", "\t", "\r\n", "  "])
}

/// A character as one of its spellings in a JSON string; `spelling` chooses.
fn spelled(c: char, spelling: u8) -> String {
    let short = match c {
        '"' => Some("\\\""),
        '\\' => Some("\\\\"),
        '/' => Some("\\/"),
        '\u{8}' => Some("\\b"),
        '\u{c}' => Some("\\f"),
        '\n' => Some("\\n"),
        '\r' => Some("\\r"),
        '\t' => Some("\\t"),
        _ => None,
    };
    let must_escape = c < ' ' || c == '"' || c == '\\';
    match (spelling % 8, short) {
        (0, _) => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        (1, _) => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04X}")).collect(),
        (2, Some(short)) => short.to_owned(),
        (_, Some(short)) if must_escape => short.to_owned(),
        _ if must_escape => format!("\\u{:04x}", u32::from(c)),
        _ => c.to_string(),
    }
}

/// A text as a JSON string in one of its spellings.
fn string_of(text: impl Strategy<Value = String>) -> impl Strategy<Value = Written> {
    (text, prop::collection::vec(any::<u8>(), 1..8)).prop_map(|(text, spellings)| {
        let inner: String =
            text.chars().zip(spellings.iter().cycle()).map(|(c, &spelling)| spelled(c, spelling)).collect();
        Written { json: format!("\"{inner}\""), meaning: Meaning::Text(text) }
    })
}

/// A string that RFC 8259 allows and that means no text.
fn lone_surrogate() -> impl Strategy<Value = Written> {
    matching("\"[a-z]{0,2}\\\\u[dD][89abAB][0-9a-f]{2}[a-z]{0,2}\"")
        .prop_map(|json| Written { json, meaning: Meaning::Nothing })
}

fn integer() -> impl Strategy<Value = Written> {
    matching("-?(0|[1-9][0-9]{0,30})").prop_map(|json| Written { json, meaning: Meaning::Integer })
}

fn number() -> impl Strategy<Value = Written> {
    let long = matching("-?[1-9][0-9]{250,258}").prop_map(|json| Written { json, meaning: Meaning::Integer });
    let float = matching("-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3}([eE][+-]?[0-9]{1,3})?|[eE][+-]?[0-9]{1,3})")
        .prop_map(|json| Written { json, meaning: Meaning::Nothing });
    prop_oneof![3 => integer(), 1 => long, 2 => float]
}

/// Any JSON value.
pub(crate) fn value() -> impl Strategy<Value = Written> {
    let word = prop::sample::select(vec!["null", "true", "false", "{}", "[]", "[ ]", "{ }"]);
    let leaf = prop_oneof![
        word.prop_map(|json| Written { json: json.to_owned(), meaning: Meaning::Nothing }),
        number(),
        string_of(text()),
        lone_surrogate(),
    ];
    leaf.prop_recursive(4, 12, 3, |inner| {
        let list = prop::collection::vec((inner.clone(), space()), 0..3)
            .prop_map(|items| {
                items
                    .into_iter()
                    .map(|(item, space)| format!("{space}{}{space}", item.json))
                    .collect::<Vec<_>>()
                    .join(",")
            })
            .prop_map(|items| format!("[{items}]"));
        let object = prop::collection::vec((key(), inner, space()), 0..3).prop_map(|fields| {
            let fields: Vec<_> = fields
                .into_iter()
                .map(|(key, value, space)| format!("{space}{}{space}:{}", key.json, value.json))
                .collect();
            format!("{{{}}}", fields.join(","))
        });
        prop_oneof![list, object].prop_map(|json| Written { json, meaning: Meaning::Nothing })
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => matching("[a-zA-Z0-9_-]{1,12}"),
        1 => prop::collection::vec(any::<char>(), 0..12).prop_map(String::from_iter),
        1 => matching("[ \\\\\"/\n\t{}\\[\\],:\u{0}\u{7f}\u{2028}\u{feff}🧺é]{0,8}"),
        1 => (250_usize..260).prop_map(|len| "y".repeat(len)),
        1 => (125_usize..131).prop_map(|len| "é".repeat(len)),
    ]
}

fn time_text() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => matching("20[0-9]{2}-0[1-9]-[012][1-8]T[01][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-]0[0-9]:[0-5]0)"),
        1 => matching("[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9][Zz]"),
        1 => text(),
    ]
}

/// A key: a required one, one that only looks like it, or another.
fn key() -> impl Strategy<Value = Written> {
    let near = ["User_id", "user_id ", "user-id", "userid", "", "metadata", "timestamp\u{0}", "\u{feff}user_id"];
    prop_oneof![
        2 => string_of(prop::sample::select(REQUIRED.to_vec()).prop_map(str::to_owned)),
        2 => string_of(prop::sample::select(near.to_vec()).prop_map(str::to_owned)),
        1 => string_of(text()),
        1 => lone_surrogate(),
    ]
}

fn required(name: &'static str) -> impl Strategy<Value = (Written, Written)> {
    let short = || string_of(matching("[a-zA-Z0-9é\\\\\"\n]{1,12}"));
    let usual = match name {
        "timestamp" => string_of(time_text()).boxed(),
        "event_type" => prop_oneof![12 => short(), 1 => string_of(text())].boxed(),
        _ => prop_oneof![12 => short(), 4 => integer(), 1 => string_of(text()), 1 => number()].boxed(),
    };
    (string_of(Just(name.to_owned())), prop_oneof![20 => usual, 1 => value()])
}

fn fields() -> impl Strategy<Value = Vec<(Written, Written)>> {
    let [user_id, product_id, event_type, timestamp] =
        REQUIRED.map(|name| prop::option::weighted(0.97, required(name)));
    let noise = prop::collection::vec((key(), value()), 0..3);
    (user_id, product_id, event_type, timestamp, noise)
        .prop_map(|(a, b, c, d, noise)| [a, b, c, d].into_iter().flatten().chain(noise).collect::<Vec<_>>())
        .prop_shuffle()
}

/// An event in any spelling: key order, white space, escapes, duplicate keys, extra nested fields; mostly valid.
pub(crate) fn event() -> impl Strategy<Value = WrittenEvent> {
    (fields(), prop::collection::vec(space(), 4..9)).prop_map(|(fields, spaces)| {
        let mut spaces = spaces.into_iter().cycle();
        let mut space = move || spaces.next().unwrap_or("");
        let mut json = format!("{}{{", space());
        let mut last = [const { None }; 4];
        for (at, (key, value)) in fields.into_iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            json += &format!("{comma}{}{}{}:{}{}{}", space(), key.json, space(), space(), value.json, space());
            if let Meaning::Text(name) = &key.meaning
                && let Some(place) = REQUIRED.iter().position(|required| required == name)
            {
                last[place] = Some(value);
            }
        }
        json += &format!("{}}}{}", space(), space());
        WrittenEvent { json, fields: last }
    })
}

/// A record in the layout that the fast path reads.
pub(crate) fn canonical() -> impl Strategy<Value = String> {
    let id = || prop_oneof![matching("[a-zA-Z0-9_-]{1,30}"), matching("[^\\x00-\\x1f\"\\\\]{1,20}")];
    let metadata =
        prop::collection::vec((matching("[^\\x00-\\x1f\"\\\\]{0,9}"), matching("[^\\x00-\\x1f\"\\\\]{0,20}")), 0..3);
    let time =
        matching("20[0-9]{2}-0[1-9]-[01][1-9]T[01][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-]0[0-9]:[0-5]0)");
    (id(), id(), id(), time, prop::option::of(metadata)).prop_map(|(user, product, kind, time, metadata)| {
        let metadata = metadata.map_or_else(String::new, |fields| {
            let fields: Vec<_> = fields.iter().map(|(key, value)| format!("\"{key}\":\"{value}\"")).collect();
            format!(",\"metadata\":{{{}}}", fields.join(","))
        });
        format!(
            r#"{{"user_id":"{user}","product_id":"{product}","event_type":"{kind}","timestamp":"{time}"{metadata}}}"#
        )
    })
}

#[test]
fn random_events_are_mostly_valid_and_meet_every_verdict_on_a_field() {
    use proptest::strategy::ValueTree;

    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let events = event();
    let mut verdicts = std::collections::BTreeMap::new();
    for _ in 0..600 {
        let event = events.new_tree(&mut runner).unwrap().current();
        *verdicts.entry(event.verdict().err()).or_insert(0) += 1;
    }
    assert!(verdicts[&None] > 300, "{verdicts:?}");
    let of_fields = Reason::ALL.into_iter().filter(|reason| !reason.pointer().is_empty() && *reason != Reason::Future);
    for reason in of_fields {
        assert!(verdicts.contains_key(&Some(reason)), "{reason}: {verdicts:?}");
    }
}
