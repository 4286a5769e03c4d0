//! Events as they are sent (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::io::Write as _;

use axum::body::Bytes;
use schemas::TopicRow;
use serde::Serialize;

use crate::analytics::place::Place;

/// How long a client waits until it connects again, in milliseconds.
pub(super) const RETRY: Bytes = Bytes::from_static(b"retry: 2000\n\n");
/// A comment, by which both sides see that the connection lives.
pub(super) const PING: Bytes = Bytes::from_static(b": ping\n\n");

/// The event of a row, without its id.
pub(super) fn window(row: &TopicRow) -> Bytes {
    event("window", row)
}

/// An event without its id. The data has no line break: JSON escapes them.
pub(in crate::analytics) fn event(name: &str, data: &impl Serialize) -> Bytes {
    let mut text = format!("event: {name}\ndata: ").into_bytes();
    // Writing to memory does not fail, and what is written here has a JSON form.
    if let Err(error) = serde_json::to_writer(&mut text, data) {
        tracing::error!(%error, name, "an event cannot be written");
    }
    text.extend_from_slice(b"\n\n");
    text.into()
}

/// Events of one stream, to be sent together.
#[derive(Debug, Default)]
pub(super) struct Frame(Vec<u8>);

impl Frame {
    /// Adds an event with the place behind it.
    pub(super) fn add(&mut self, place: &Place, event: &[u8]) {
        self.add_id(place);
        self.0.extend_from_slice(event);
    }

    /// Adds a place alone: the client takes it over, and has no event.
    pub(super) fn add_place(&mut self, place: &Place) {
        self.add_id(place);
        self.0.push(b'\n');
    }

    fn add_id(&mut self, place: &Place) {
        // Before the topic is known there is no place: an empty id would be taken for one.
        if place.partitions() > 0
            && let Err(error) = writeln!(self.0, "id: {place}")
        {
            tracing::error!(%error, "an id cannot be written");
        }
    }

    /// What is to be sent, if there is anything.
    pub(super) fn finish(self) -> Option<Bytes> {
        (!self.0.is_empty()).then(|| self.0.into())
    }
}

#[cfg(test)]
mod tests {
    use schemas::{ResultRow, Window};

    use super::*;

    #[test]
    fn an_event_has_an_id_a_name_and_one_line_of_data() {
        let window = Window::from_ordinal(28_401_840);
        let row = ResultRow { product_id: "a\nb".to_owned(), window, unique_user_count: 17, revision: 0 };
        let mut frame = Frame::default();
        let place: Place = [123, 99].into_iter().collect();
        frame.add(&place, &super::window(&TopicRow { row, is_final: true }));
        let expected = "id: 0:123,1:99\nevent: window\ndata: {\"product_id\":\"a\\nb\",\
            \"window_start\":\"2024-01-01T12:00:00Z\",\"window_end\":\"2024-01-01T12:01:00Z\",\
            \"unique_user_count\":17,\"revision\":0,\"final\":true}\n\n";
        assert_eq!(String::from_utf8(frame.finish().unwrap().to_vec()).unwrap(), expected);
    }

    #[test]
    fn a_place_alone_is_no_event() {
        let mut frame = Frame::default();
        frame.add_place(&[1].into_iter().collect());
        assert_eq!(frame.finish().unwrap().as_ref(), b"id: 0:1\n\n");
        assert!(Frame::default().finish().is_none());
    }
}
