//! Events as pages send them, in the array of a request, and what is known of each.

use std::io::Write as _;

use schemas::{EventTime, Reason};

/// What a visitor does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    View,
    AddToCart,
    Purchase,
}

impl Action {
    /// As events name it.
    pub(crate) const fn event_type(self) -> &'static str {
        match self {
            Action::View => "VIEW_PRODUCT",
            Action::AddToCart => "ADD_TO_CART",
            Action::Purchase => "PURCHASE",
        }
    }
}

/// A valid event, by numbers: the product's is its place in the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) visitor: u32,
    pub(crate) product: u16,
    pub(crate) action: Action,
    pub(crate) time: EventTime,
    /// The partition that the visitor's events go to.
    pub(crate) partition: u32,
    pub(crate) session: u32,
}

/// What is known of an item of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// It has to be accepted.
    Valid(Event),
    /// It has to be refused while it is ahead of the clock.
    Ahead(Event),
    /// It has to be refused, for this reason.
    Broken(Reason),
}

impl Item {
    /// The reason for which it has to be refused.
    pub(crate) const fn expected_refusal(&self) -> Option<Reason> {
        match self {
            Item::Valid(_) => None,
            Item::Ahead(_) => Some(Reason::Future),
            Item::Broken(reason) => Some(*reason),
        }
    }
}

/// The body of a request, and what is known of its items.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    body: Vec<u8>,
    pub(crate) items: Vec<Item>,
}

/// In which ways pages break events: not every fault can be written into an array.
pub(super) const FAULTS: [Reason; 5] = [
    Reason::MissingUserId,
    Reason::InvalidUserId,
    Reason::InvalidProductId,
    Reason::MissingEventType,
    Reason::InvalidTimestamp,
];

impl Batch {
    /// Empties it; what it has taken is used again.
    pub(crate) fn clear(&mut self) {
        self.body.clear();
        self.items.clear();
    }

    /// The array.
    pub(crate) fn body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.body.len() + 1);
        body.extend_from_slice(&self.body);
        body.push(b']');
        body
    }

    /// Adds an event of the product with this id.
    pub(super) fn push(&mut self, event: Event, product_id: &str) {
        self.open_item();
        let Event { visitor, action, time, session, .. } = event;
        let event_type = action.event_type();
        self.write(format_args!(
            r#"{{"user_id":"v{visitor}","product_id":"{product_id}","event_type":"{event_type}","timestamp":"{time}","metadata":{{"session_id":"{session:08x}"}}}}"#
        ));
        self.items.push(Item::Valid(event));
    }

    /// Adds an event that is dated ahead of the clock.
    pub(super) fn push_ahead(&mut self, event: Event, product_id: &str) {
        self.push(event, product_id);
        self.items.pop();
        self.items.push(Item::Ahead(event));
    }

    /// Adds what was to be this event, and has a fault: one of [`FAULTS`].
    pub(super) fn push_broken(&mut self, event: Event, product_id: &str, fault: Reason) {
        self.open_item();
        let user = format!(r#""v{}""#, event.visitor);
        let time = format!(r#""{}""#, event.time);
        let (product, action) = (format!(r#""{product_id}""#), format!(r#""{}""#, event.action.event_type()));
        let written = |field: &str, right: &str, missing: Reason, invalid: Reason, wrong: &str| match fault {
            fault if fault == missing => None,
            fault if fault == invalid => Some(format!(r#""{field}":{wrong}"#)),
            _ => Some(format!(r#""{field}":{right}"#)),
        };
        let fields = [
            written("user_id", &user, Reason::MissingUserId, Reason::InvalidUserId, r#""""#),
            written("product_id", &product, Reason::MissingProductId, Reason::InvalidProductId, "null"),
            written("event_type", &action, Reason::MissingEventType, Reason::InvalidEventType, "17"),
            written("timestamp", &time, Reason::MissingTimestamp, Reason::InvalidTimestamp, r#""yesterday""#),
        ];
        let fields: Vec<_> = fields.into_iter().flatten().collect();
        self.write(format_args!("{{{}}}", fields.join(",")));
        self.items.push(Item::Broken(fault));
    }

    fn open_item(&mut self) {
        self.body.push(if self.items.is_empty() { b'[' } else { b',' });
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        // A vector takes everything.
        let _ = self.body.write_fmt(text);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    fn event() -> Event {
        let time = EventTime::from_millis(1_704_110_400_000).unwrap();
        Event { visitor: 7, product: 3, action: Action::AddToCart, time, partition: 0, session: 0xab }
    }

    #[test]
    fn an_event_is_written_as_the_contract_says() {
        let mut batch = Batch::default();
        batch.push(event(), "42");
        batch.push(event(), "43");
        let body = batch.body();
        let items: Vec<&RawValue> = serde_json::from_slice(&body).unwrap();
        let decoded = schemas::decode(items[0].get().as_bytes()).unwrap();
        assert_eq!((&*decoded.user_id, &*decoded.product_id), ("v7", "42"));
        assert_eq!((&*decoded.event_type, decoded.timestamp), ("ADD_TO_CART", event().time));
        assert_eq!(batch.items, [Item::Valid(event()); 2]);
    }

    #[test]
    fn what_is_broken_is_refused_for_the_reason_that_was_meant() {
        for fault in FAULTS {
            let mut batch = Batch::default();
            batch.push_broken(event(), "42", fault);
            let body = batch.body();
            let items: Vec<&RawValue> = serde_json::from_slice(&body).unwrap();
            assert_eq!(schemas::decode(items[0].get().as_bytes()).unwrap_err(), fault);
            assert_eq!(batch.items, [Item::Broken(fault)]);
        }
    }
}
