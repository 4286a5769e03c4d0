//! Every contract of Footfall, once.
//!
//! What crosses a boundary between two parts of Footfall is defined here and nowhere else: the raw
//! event and [the decoder](decode) that judges it, [result rows](ResultRow), the envelopes in which
//! [rejected and late records](quarantine) are kept, [order events](OrderEvent), the
//! [item](ControlItem) in which the job says how far it is, and the [names] of topics, tables,
//! buckets and attributes.
//!
//! Beside the types, in `json/`, stand JSON Schema 2020-12 files with valid and invalid example
//! payloads; a test holds types and schemas against each other in both directions.

mod arrow;
mod control;
mod currency;
mod decode;
mod encode;
mod event;
mod field;
pub mod names;
mod order;
pub mod quarantine;
mod reason;
mod result;
mod time;
mod wire;

pub use arrow::results_arrow_schema;
pub use control::ControlItem;
pub use currency::Currency;
pub use decode::{FastDecoder, decode, decode_general};
pub use encode::RowEncoder;
pub use event::{EventView, MAX_ID_BYTES, MAX_NESTING, MAX_RECORD_BYTES, RawEvent};
pub use field::FieldCode;
pub use order::{Money, OrderEvent, OrderEventType, OrderStatus};
pub use reason::Reason;
pub use result::{ResultRow, TopicRow};
pub use time::{EventTime, InvalidTime, Window};
