//! The emulator of DynamoDB, by way of the SDK that the services use.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    TimeToLiveSpecification,
};
use backends::DynamoDb;
use common::{child_folder, eventually, folder, kill, ready, start_child, taken_port};

const TABLE: &str = "kept";

async fn client(dynamodb: &DynamoDb) -> Client {
    let settings = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(dynamodb.endpoint())
        .region(Region::new("local"))
        .credentials_provider(Credentials::new("any", "any", None, None, "test"));
    Client::new(&settings.load().await)
}

async fn make_table(client: &Client) {
    let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build().unwrap();
    let id = AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S).build();
    let table = client.create_table().table_name(TABLE).key_schema(key).attribute_definitions(id.unwrap());
    table.billing_mode(BillingMode::PayPerRequest).send().await.unwrap();
}

async fn put(client: &Client, id: &str, expires_at: u64) {
    let item = client.put_item().table_name(TABLE).item("id", AttributeValue::S(id.to_owned()));
    item.item("expires_at", AttributeValue::N(expires_at.to_string())).send().await.unwrap();
}

async fn has(client: &Client, id: &str) -> bool {
    let key = AttributeValue::S(id.to_owned());
    client.get_item().table_name(TABLE).key("id", key).send().await.unwrap().item.is_some()
}

#[tokio::test]
async fn items_are_there_after_a_stop_and_the_port_is_free() {
    let folder = folder();
    let path = folder.path().join("dynamodb.sqlite");
    let dynamodb = DynamoDb::start(Some(&path), 0).await.unwrap();
    let before = client(&dynamodb).await;
    make_table(&before).await;
    put(&before, "one", 0).await;
    let port = dynamodb.address().port();
    dynamodb.stop().await.unwrap();

    let dynamodb = DynamoDb::start(Some(&path), port).await.unwrap();
    assert!(has(&client(&dynamodb).await, "one").await);
    dynamodb.stop().await.unwrap();
}

#[tokio::test]
async fn items_are_there_after_the_process_was_killed() {
    let folder = folder();
    let (child, _) = start_child("child_puts_an_item", folder.path());
    kill(child);
    let dynamodb = DynamoDb::start(Some(&folder.path().join("dynamodb.sqlite")), 0).await.unwrap();
    assert!(has(&client(&dynamodb).await, "one").await);
    dynamodb.stop().await.unwrap();
}

#[tokio::test]
#[ignore = "the process that another test kills"]
async fn child_puts_an_item() {
    let dynamodb = DynamoDb::start(Some(&child_folder().join("dynamodb.sqlite")), 0).await.unwrap();
    let client = client(&dynamodb).await;
    make_table(&client).await;
    put(&client, "one", 0).await;
    ready("").await;
}

#[tokio::test]
async fn an_item_whose_time_is_over_goes_and_others_stay() {
    let dynamodb = DynamoDb::start(None, 0).await.unwrap();
    let client = client(&dynamodb).await;
    make_table(&client).await;
    let ttl = TimeToLiveSpecification::builder().attribute_name("expires_at").enabled(true).build().unwrap();
    client.update_time_to_live().table_name(TABLE).time_to_live_specification(ttl).send().await.unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    put(&client, "over", now - 10).await;
    put(&client, "valid", now + 3_600).await;
    eventually(Duration::from_secs(20), "the item is removed", async || !has(&client, "over").await).await;
    assert!(has(&client, "valid").await);
    dynamodb.stop().await.unwrap();
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_in_one_sentence() {
    let (port, _listener) = taken_port();
    let refusal = DynamoDb::start(None, port).await.unwrap_err().to_string();
    assert_eq!(
        refusal,
        format!("port {port} for DynamoDB is in use; end the program that listens there, or choose another port")
    );
}

#[tokio::test]
async fn a_file_that_another_emulator_has_is_refused() {
    let folder = folder();
    let path = folder.path().join("dynamodb.sqlite");
    let first = DynamoDb::start(Some(&path), 0).await.unwrap();
    let refusal = DynamoDb::start(Some(&path), 0).await.unwrap_err().to_string();
    let process = std::process::id();
    assert_eq!(
        refusal,
        format!("{} is in use by process {process}; end that process, or choose another folder", path.display())
    );
    first.stop().await.unwrap();
}
