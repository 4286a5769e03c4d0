//! Records that are put on Kafka by somebody who does not ask the gateway.

use dataflow::generate::{Generated, Shape, Stream};
use dataflow::kafka::{KafkaArgs, Producer};
use schemas::EventTime;

/// A record's key and value.
pub(super) type Record = (Vec<u8>, Vec<u8>);

/// Puts records into a topic, and waits until they are there.
pub(super) async fn put(kafka: KafkaArgs, topic: String, records: Vec<Record>) -> Result<(), String> {
    let put = move || {
        let mut producer = Producer::new(&kafka)?;
        for (key, value) in &records {
            producer.send(&topic, None, Some(key), Some(value), None)?;
        }
        producer.flush()
    };
    let put = tokio::task::spawn_blocking(put).await.map_err(|panic| panic.to_string())?;
    put.map_err(|error: dataflow::error::Error| error.to_string())
}

/// So many records that are no events, each in one of the ways in which senders really go wrong.
pub(super) fn malformed(seed: u64, count: u64) -> Result<Vec<Record>, String> {
    let shape = Shape { seed, events: Some(count), malformed_share: 1.0, ..Shape::default() };
    let mut stream = Stream::new(&shape).map_err(|error| error.to_string())?;
    let (mut record, mut records) = (Generated::default(), Vec::new());
    while stream.next(&mut record) {
        records.push((record.key.clone(), record.value.clone()));
    }
    Ok(records)
}

/// So many valid views of these products, dated at a time.
pub(super) fn views(products: &[String], time: EventTime, count: usize) -> Vec<Record> {
    let view = |(number, product): (usize, &String)| {
        let user = format!("ahead{number}");
        let value = format!(
            r#"{{"user_id":"{user}","product_id":"{product}","event_type":"VIEW_PRODUCT","timestamp":"{time}"}}"#
        );
        (user.into_bytes(), value.into_bytes())
    };
    (0..count).zip(products.iter().cycle()).map(view).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_malformed_is_no_event_and_comes_in_many_ways() {
        let records = malformed(1, 500).unwrap();
        let reasons: std::collections::BTreeSet<_> =
            records.iter().map(|(_, value)| schemas::decode(value).unwrap_err()).collect();
        assert_eq!(records.len(), 500);
        assert!(reasons.len() > 8, "{reasons:?}");
    }

    #[test]
    fn views_of_a_time_are_valid_events_of_the_products() {
        let time = EventTime::parse(b"2024-01-01T12:00:00Z").unwrap();
        let records = views(&["7".to_owned(), "8".to_owned()], time, 3);
        let decoded: Vec<_> = records.iter().map(|(_, value)| schemas::decode(value).unwrap()).collect();
        assert_eq!(decoded.iter().map(|event| &*event.product_id).collect::<Vec<_>>(), ["7", "8", "7"]);
        assert!(decoded.iter().all(|event| event.timestamp == time));
    }
}
