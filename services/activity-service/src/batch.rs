//! The events of a request, taken apart without being rewritten.

use std::fmt;

use schemas::FieldCode;
use serde::de::{Deserializer as _, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;
use service_kit::{Fault, Kind, Place, Problem};

/// How many events one request may carry.
pub(crate) const MAX_EVENTS: usize = 500;

/// The items of a body, each as it was sent: without the white space around it, else byte for byte.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    /// In their order.
    pub(crate) items: Vec<&'a RawValue>,
    /// Whether they stood in an array, so that pointers into the body begin with an index.
    pub(crate) is_array: bool,
}

impl<'a> Batch<'a> {
    /// Takes a body apart: the items of an array, or any other value as the only item.
    ///
    /// # Errors
    /// 413 for more than [`MAX_EVENTS`], 400 for what is no JSON, 422 for an empty array.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, Problem> {
        let is_array = body.trim_ascii_start().first() == Some(&b'[');
        let mut items = Vec::new();
        let read = if is_array {
            read_array(body, &mut items)
        } else {
            serde_json::from_slice(body).map(|item| items.push(item))
        };
        // Size comes before syntax: what lies behind that many items is not read.
        if items.len() > MAX_EVENTS {
            let detail = format!("the array has more than {MAX_EVENTS} events; send them in several requests");
            return Err(Problem::new(Kind::BodyTooLarge, detail));
        }
        read.map_err(|error| {
            let detail = format!("the body is not JSON: {error}; send one event or an array of events");
            Problem::new(Kind::MalformedRequest, detail)
        })?;
        if items.is_empty() {
            let detail = format!("the array is empty; send 1 to {MAX_EVENTS} events");
            let place = Place::Pointer(String::new());
            return Err(Problem::of_faults(vec![Fault { place, code: FieldCode::TooShort, detail }]));
        }
        Ok(Batch { items, is_array })
    }
}

/// Collects the items, and stops with an error after one too many: a body can hold half a million.
fn read_array<'a>(body: &'a [u8], items: &mut Vec<&'a RawValue>) -> serde_json::Result<()> {
    let mut json = serde_json::Deserializer::from_slice(body);
    json.deserialize_seq(Collect(items))?;
    json.end()
}

struct Collect<'v, 'a>(&'v mut Vec<&'a RawValue>);

impl<'de> Visitor<'de> for Collect<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        while let Some(item) = array.next_element()? {
            self.0.push(item);
            if self.0.len() > MAX_EVENTS {
                return Err(A::Error::custom("too many events"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(body: &str) -> Vec<&str> {
        Batch::parse(body.as_bytes()).unwrap().items.into_iter().map(RawValue::get).collect()
    }

    fn refusal(body: &[u8]) -> Kind {
        Batch::parse(body).unwrap_err().kind()
    }

    #[test]
    fn items_keep_their_bytes_but_for_the_white_space_around_them() {
        assert_eq!(items(" \n{\"a\" : 1.50,\t\"\\u0061\":[ ]} \r\n"), ["{\"a\" : 1.50,\t\"\\u0061\":[ ]}"]);
        assert_eq!(items("[ {\"a\": 1e400} ,\n\"x\" ]"), ["{\"a\": 1e400}", "\"x\""]);
    }

    #[test]
    fn any_value_is_an_item_and_is_left_to_the_decoder() {
        assert_eq!(items("[null, 1, \"x\", [], {}]"), ["null", "1", "\"x\"", "[]", "{}"]);
        assert_eq!(items("7"), ["7"]);
        assert!(!Batch::parse(b"7").unwrap().is_array);
        assert!(Batch::parse(b" [7]").unwrap().is_array);
    }

    #[test]
    fn what_is_no_json_is_malformed_wherever_it_breaks() {
        for body in [&b""[..], b" ", b"{", b"[{}", b"[{},]", b"[] []", b"{} {}", b"[\"\xff\"]", b"\xef\xbb\xbf{}"] {
            assert_eq!(refusal(body), Kind::MalformedRequest, "{body:?}");
        }
    }

    #[test]
    fn an_array_has_one_to_five_hundred_items() {
        let array = |len: usize| format!("[{}]", vec!["0"; len].join(","));
        assert_eq!(items(&array(MAX_EVENTS)).len(), MAX_EVENTS);
        assert_eq!(refusal(array(MAX_EVENTS + 1).as_bytes()), Kind::BodyTooLarge);
        assert_eq!(refusal(b"[ ]"), Kind::ValidationFailed);
    }

    #[test]
    fn size_is_judged_before_the_syntax_of_what_lies_behind() {
        let body = format!("[{},nonsense", vec!["0"; MAX_EVENTS + 1].join(","));
        assert_eq!(refusal(body.as_bytes()), Kind::BodyTooLarge);
    }

    #[test]
    fn depth_is_left_to_the_decoder() {
        let body = format!("[{}{}]", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(items(&body).len(), 1);
    }
}
