//! `/analytics/stream` and `/analytics/products/{id}/stream`: counts as they change, as server-sent events.
//!
//! A stream holds no rows of its own. It has a place in the results topic, and takes what is behind it from the memory that
//! all streams of a replica share. The place, written out, is the id of each event, so that any replica can go on from it.

mod frame;
pub(super) mod handlers;
mod open;
mod reader;

pub(super) use frame::event;
pub(super) use open::Streams;
