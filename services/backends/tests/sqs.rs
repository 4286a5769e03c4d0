//! The emulator of SQS, by way of the SDK that the services use.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use aws_config::{BehaviorVersion, Region};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Credentials;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use backends::{Error, Sqs};

async fn client(sqs: &Sqs) -> Client {
    let settings = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(sqs.endpoint())
        .region(Region::new("local"))
        .credentials_provider(Credentials::new("any", "any", None, None, "test"));
    Client::new(&settings.load().await)
}

fn entry(id: &str, group: &str, body: &str) -> SendMessageBatchRequestEntry {
    let entry = SendMessageBatchRequestEntry::builder().id(id).message_body(body);
    entry.message_group_id(group).message_deduplication_id(body).build().unwrap()
}

#[tokio::test]
async fn a_fifo_queue_keeps_the_order_of_a_group_and_drops_what_is_sent_again() {
    let sqs = Sqs::start(0).await.unwrap();
    let url = sqs.create_queue("events.fifo").await.unwrap();
    let client = client(&sqs).await;
    for _ in 0..2 {
        let batch = client.send_message_batch().queue_url(&url);
        let batch = batch.entries(entry("1", "a", "first")).entries(entry("2", "a", "second"));
        assert_eq!(batch.send().await.unwrap().successful().len(), 2);
    }
    let received = client.receive_message().queue_url(&url).max_number_of_messages(10).send().await.unwrap();
    let bodies: Vec<_> = received.messages().iter().map(|message| message.body().unwrap()).collect();
    assert_eq!(bodies, ["first", "second"]);
    for message in received.messages() {
        let handle = message.receipt_handle().unwrap();
        client.delete_message().queue_url(&url).receipt_handle(handle).send().await.unwrap();
    }
    let received = client.receive_message().queue_url(&url).send().await.unwrap();
    assert!(received.messages().is_empty(), "{received:?}");
    sqs.stop().await.unwrap();
}

#[tokio::test]
async fn a_queue_is_found_by_its_name_and_a_name_that_no_queue_can_have_is_refused() {
    let sqs = Sqs::start(0).await.unwrap();
    sqs.create_queue("events.fifo").await.unwrap();
    let found = client(&sqs).await.get_queue_url().queue_name("events.fifo").send().await.unwrap();
    assert!(found.queue_url().unwrap().ends_with("/events.fifo"));
    let refused = sqs.create_queue("no name").await.unwrap_err();
    assert!(matches!(refused, Error::Sqs { .. }), "{refused}");
}

#[tokio::test]
async fn a_taken_port_is_told() {
    let sqs = Sqs::start(0).await.unwrap();
    let refused = Sqs::start(sqs.address().port()).await.unwrap_err();
    assert!(matches!(refused, Error::PortInUse { backend: "SQS", .. }), "{refused}");
}
