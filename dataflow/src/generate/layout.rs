//! How a valid event is written: in the common layout, or in an odd one that means the same.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use schemas::{EventTime, Window};

/// What is written about an event.
pub(super) struct Event {
    pub(super) user: u64,
    pub(super) product: u64,
    pub(super) event_type: &'static str,
    pub(super) time: EventTime,
    pub(super) session: u32,
}

/// Appends a user's id.
pub(super) fn push_user(bytes: &mut Vec<u8>, user: u64) {
    bytes.push(b'u');
    push_number(bytes, user);
}

/// Appends the event in the layout in which nearly all records are written.
pub(super) fn write_common(event: &Event, times: &mut TimeWriter, value: &mut Vec<u8>) {
    value.extend_from_slice(br#"{"user_id":""#);
    push_user(value, event.user);
    value.extend_from_slice(br#"","product_id":""#);
    push_number(value, event.product);
    value.extend_from_slice(br#"","event_type":""#);
    value.extend_from_slice(event.event_type.as_bytes());
    value.extend_from_slice(br#"","timestamp":""#);
    times.push(value, event.time);
    value.extend_from_slice(br#"","metadata":{"session_id":""#);
    push_session(value, event.session);
    value.extend_from_slice(br#""}}"#);
}

fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    // u64::MAX has 20 digits.
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    bytes.extend_from_slice(&digits[first..]);
}

fn push_session(bytes: &mut Vec<u8>, session: u32) {
    for shift in (0..8).rev() {
        bytes.push(b"0123456789abcdef"[((session >> (4 * shift)) & 0xf) as usize]);
    }
}

/// Writes times as [`EventTime`] does, several times faster: neighbours mostly share the minute.
#[derive(Clone, Debug, Default)]
pub(super) struct TimeWriter {
    /// The minute written last, and its text up to the seconds: `2024-01-01T12:00:`.
    minute: Option<(Window, String)>,
}

impl TimeWriter {
    /// Appends the time.
    pub(super) fn push(&mut self, bytes: &mut Vec<u8>, time: EventTime) {
        let window = Window::of(time);
        let (_, text) = match self.minute.take() {
            Some(minute) if minute.0 == window => self.minute.insert(minute),
            _ => self.minute.insert((window, window.start_text().trim_end_matches("00Z").into())),
        };
        bytes.extend_from_slice(text.as_bytes());
        // Within the minute: below 60 000.
        let millis = (time.millis() - window.start_millis()) as u64;
        let digit = |unit: u64| b'0' + (millis / unit % 10) as u8;
        bytes.extend_from_slice(&[digit(10_000), digit(1000), b'.', digit(100), digit(10), digit(1), b'Z']);
    }
}

/// Appends the event in a layout that only a full JSON reader understands: one or more of the liberties that JSON
/// and the contract allow.
pub(super) fn write_odd(event: &Event, random: &mut ChaCha8Rng, value: &mut Vec<u8>) {
    let liberties = Liberties::draw(random);
    let mut fields = required_fields(event, &liberties, random);
    if !liberties.no_metadata {
        let session = format!("{:08x}", event.session);
        fields.push(("metadata", format!(r#"{{"session_id":"{session}","depth":[1,[2,{{}}]],"ratio":-0.5e-3}}"#)));
    }
    if liberties.extra_fields {
        fields.push(("page", r#""\u00dcbersicht 🛒 \"neu\"""#.into()));
        fields.push(("consent", "null".into()));
    }
    if liberties.other_order {
        fields.shuffle(random);
    }
    if liberties.repeated_key {
        // Of a key that occurs twice the last value counts.
        fields.insert(0, ("user_id", "null".into()));
    }
    push_object(value, &fields, &liberties);
}

/// What an odd layout does differently.
struct Liberties {
    other_order: bool,
    spaces: bool,
    escaped_values: bool,
    escaped_keys: bool,
    integer_product: bool,
    extra_fields: bool,
    repeated_key: bool,
    no_metadata: bool,
}

impl Liberties {
    fn draw(random: &mut ChaCha8Rng) -> Self {
        // Each with a chance of one in four, and one of those that need the full reader for certain.
        let drawn = (random.random::<u8>() & random.random::<u8>()) | (1 << random.random_range(0..7_u8));
        let takes = |bit: u8| drawn & (1 << bit) != 0;
        Liberties {
            other_order: takes(0),
            spaces: takes(1),
            escaped_values: takes(2),
            escaped_keys: takes(3),
            integer_product: takes(4),
            extra_fields: takes(5),
            repeated_key: takes(6),
            no_metadata: takes(7),
        }
    }
}

fn required_fields(event: &Event, liberties: &Liberties, random: &mut ChaCha8Rng) -> Vec<(&'static str, String)> {
    let text = |text: &str| quoted(text, liberties.escaped_values);
    let product = event.product.to_string();
    vec![
        ("user_id", text(&format!("u{}", event.user))),
        ("product_id", if liberties.integer_product { product } else { text(&product) }),
        ("event_type", text(event.event_type)),
        ("timestamp", text(&time_text(event.time, random))),
    ]
}

/// A JSON string; where `escaped`, its first character is written as an escape.
fn quoted(text: &str, escaped: bool) -> String {
    match text.chars().next() {
        // Ids, event types, times and keys are ASCII.
        Some(first) if escaped => format!(r#""\u{:04x}{}""#, u32::from(first), &text[first.len_utf8()..]),
        _ => format!(r#""{text}""#),
    }
}

/// The time in one of the ways RFC 3339 has for it.
fn time_text(time: EventTime, random: &mut ChaCha8Rng) -> String {
    let utc = time.to_string();
    match random.random_range(0..4_u8) {
        0 => utc.to_lowercase(),
        // Digits after the milliseconds are cut off by the reader.
        1 => utc.replace('Z', "987654Z"),
        2 => EventTime::from_millis(time.millis() + 19_800_000)
            .map_or(utc, |local| local.to_string().replace('Z', "+05:30")),
        _ => utc,
    }
}

fn push_object(value: &mut Vec<u8>, fields: &[(&str, String)], liberties: &Liberties) {
    let (colon, comma) = if liberties.spaces { (" : ", ",\t ") } else { (":", ",") };
    value.push(b'{');
    for (place, (key, json)) in fields.iter().enumerate() {
        if place > 0 {
            value.extend_from_slice(comma.as_bytes());
        }
        value.extend_from_slice(quoted(key, liberties.escaped_keys).as_bytes());
        value.extend_from_slice(colon.as_bytes());
        value.extend_from_slice(json.as_bytes());
    }
    value.push(b'}');
}
