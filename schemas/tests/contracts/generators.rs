//! Random values of the contracts' Rust types.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use schemas::quarantine::{Late, LateRecord, Origin, Original, RejectedRecord};
use schemas::{
    ControlItem, EventTime, Money, OrderEvent, OrderEventType, OrderStatus, Reason, ResultRow, TopicRow, Window,
};
use serde::Serialize;
use serde_json::Value;

/// Texts that match a regular expression; unlike a bare literal it is parsed once and not for every case.
pub(crate) fn matching(pattern: &str) -> impl Strategy<Value = String> + use<> {
    prop::string::string_regex(pattern).unwrap()
}

/// An id of 1..=256 bytes, mostly short, of any characters.
pub(crate) fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => matching("[a-z0-9-]{1,12}"),
        2 => prop::collection::vec(any::<char>(), 1..=64).prop_map(String::from_iter),
        1 => (1_usize..=256).prop_map(|len| "x".repeat(len)),
    ]
}

pub(crate) fn event_time() -> impl Strategy<Value = EventTime> {
    (0..=EventTime::MAX.millis()).prop_map(|millis| EventTime::from_millis(millis).unwrap())
}

/// Any window in which an event can lie.
pub(crate) fn window() -> impl Strategy<Value = Window> {
    event_time().prop_map(Window::of)
}

fn result_row() -> impl Strategy<Value = ResultRow> {
    (id(), window(), 1..=u64::MAX, any::<u64>()).prop_map(|(product_id, window, unique_user_count, revision)| {
        ResultRow { product_id, window, unique_user_count, revision }
    })
}

pub(crate) fn topic_row() -> impl Strategy<Value = TopicRow> {
    (result_row(), any::<bool>()).prop_map(|(row, is_final)| TopicRow { row, is_final })
}

fn origin() -> impl Strategy<Value = Origin> {
    (any::<String>(), any::<u32>(), any::<u64>()).prop_map(|(source, partition, offset)| Origin {
        source,
        partition,
        offset,
    })
}

/// Bytes that are text about as often as not.
fn record_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![any::<String>().prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 0..48)]
}

pub(crate) fn original() -> impl Strategy<Value = Original> {
    prop_oneof![
        prop::option::of(record_bytes()).prop_map(|value| Original::whole(value.as_deref())),
        (record_bytes(), 65_537..=u64::MAX, matching("[0-9a-f]{64}"))
            .prop_map(|(kept, length, sha256)| Original::cut(&kept, length, sha256)),
    ]
}

pub(crate) fn rejected_record() -> impl Strategy<Value = RejectedRecord> {
    (prop::sample::select(Reason::ALL.to_vec()), origin(), original())
        .prop_map(|(reason, origin, original)| RejectedRecord { reason, origin, original })
}

pub(crate) fn late_record() -> impl Strategy<Value = LateRecord> {
    (origin(), event_time(), any::<u64>(), any::<String>()).prop_map(|(origin, timestamp, lateness_ms, text)| {
        LateRecord {
            reason: Late::Late,
            origin,
            timestamp,
            window_start: Window::of(timestamp),
            lateness_ms,
            original: Original::whole(Some(text.as_bytes())),
        }
    })
}

prop_compose! {
    fn prices()(quantity in 1..=u32::MAX, digits in 0_u8..=4)
        (unit in 0..=i64::MAX / i64::from(quantity), quantity in Just(quantity), digits in Just(digits))
        -> (u32, Money, Money) {
        (quantity, Money::new(unit, digits).unwrap(), Money::new(unit * i64::from(quantity), digits).unwrap())
    }
}

fn order_event_type() -> impl Strategy<Value = OrderEventType> {
    use OrderEventType::{Cancelled, Confirmed, Delivered, Paid, Refunded, Shipped};
    prop::sample::select(vec![Confirmed, Paid, Shipped, Delivered, Cancelled, Refunded])
}

fn order_status() -> impl Strategy<Value = OrderStatus> {
    use OrderStatus::{Cancelled, Confirmed, Delivered, Paid, Pending, Refunded, Shipped};
    prop::sample::select(vec![Pending, Confirmed, Paid, Shipped, Delivered, Cancelled, Refunded])
}

pub(crate) fn order_event() -> impl Strategy<Value = OrderEvent> {
    let ids = (id(), id(), id(), id(), id());
    let words = (order_event_type(), order_status(), matching("[A-Z]{3}"), 1..=u64::MAX);
    (ids, words, prices(), event_time(), event_time()).prop_map(|(ids, words, prices, created_at, timestamp)| {
        let (event_id, order_id, group_id, customer_id, product_id) = ids;
        let (event_type, status, currency, version) = words;
        let (quantity, unit_price, total_price) = prices;
        OrderEvent {
            event_id,
            event_type,
            order_id,
            group_id,
            user_id: customer_id.clone(),
            customer_id,
            product_id,
            quantity,
            unit_price,
            total_price,
            currency,
            status,
            version,
            created_at,
            timestamp,
        }
    })
}

fn control_item() -> impl Strategy<Value = ControlItem> {
    (1..=u64::MAX, prop::option::of(event_time()), event_time())
        .prop_map(|(job_epoch, watermark, processed_at)| ControlItem { job_epoch, watermark, processed_at })
}

/// Values of an output contract as Rust writes them: as a JSON value and as text.
pub(crate) fn output(name: &str) -> BoxedStrategy<(Value, String)> {
    fn written<T: Serialize>(value: T) -> (Value, String) {
        let text = serde_json::to_string(&value).unwrap();
        (serde_json::from_str(&text).unwrap(), text)
    }
    match name {
        "result-row" => result_row().prop_map(written).boxed(),
        "topic-row" => topic_row().prop_map(written).boxed(),
        "rejected-record" => rejected_record().prop_map(written).boxed(),
        "late-record" => late_record().prop_map(written).boxed(),
        "order-event" => order_event().prop_map(written).boxed(),
        "control-item" => control_item().prop_map(written).boxed(),
        other => panic!("no output contract {other:?}"),
    }
}

/// Some value of a strategy, always the same one.
pub(crate) fn first<T: std::fmt::Debug>(strategy: &impl Strategy<Value = T>) -> T {
    strategy.new_tree(&mut TestRunner::deterministic()).unwrap().current()
}
