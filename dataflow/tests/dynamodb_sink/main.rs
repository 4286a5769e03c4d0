//! The DynamoDB sink on an emulator in this process, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/dynamo.rs"]
mod dynamo;
#[path = "../common/fault.rs"]
mod fault;

mod control;
mod faults;
mod fencing;
mod live;
mod rows;
mod tables;
mod windows;

use std::net::SocketAddr;

use aws_client::DynamoDbEndpointArgs;
use aws_sdk_dynamodb::types::AttributeValue;
use dataflow::error::Error;
use dataflow::metrics::{Metrics, SinkMetrics};
use dataflow::sink::dynamodb::{DynamoDb, DynamoDbArgs, DynamoDbSink, WriteMode};
use dynamo::Dynamo;
use schemas::{ResultRow, Window};

const TABLE: &str = "ecom-analytics";
const CONTROL_TABLE: &str = "ecom-analytics-control";
const REPLAY: WriteMode = WriteMode::Replay { overwrite: false };

const fn job(epoch: u64) -> WriteMode {
    WriteMode::Job { epoch }
}

/// What these tests do with a DynamoDB.
trait Sinks {
    fn connect_at(&self, address: SocketAddr, create_table: bool) -> Result<(DynamoDb, SinkMetrics), Error>;
    /// The store with both tables, which it creates where they are missing.
    fn connect(&self) -> DynamoDb;
    fn sink_at(&self, address: SocketAddr, mode: WriteMode) -> (DynamoDbSink, SinkMetrics);
    fn sink(&self, mode: WriteMode) -> DynamoDbSink;
    /// Count, revision and epoch of the only item.
    fn only(&self) -> (u64, u64, u64);
    fn put(&self, table: &str, attributes: &[(&str, AttributeValue)]);
}

impl Sinks for Dynamo {
    fn connect_at(&self, address: SocketAddr, create_table: bool) -> Result<(DynamoDb, SinkMetrics), Error> {
        let args = DynamoDbArgs {
            table: TABLE.to_owned(),
            in_flight: 8,
            create_table,
            endpoint: DynamoDbEndpointArgs::default(),
        };
        let metrics = Metrics::default().sink("dynamodb");
        let runtime = self.runtime.handle().clone();
        let dynamo = DynamoDb::connect_with(&self.settings(address), &args, metrics.clone(), runtime)?;
        Ok((dynamo, metrics))
    }

    fn connect(&self) -> DynamoDb {
        self.connect_at(self.address, true).unwrap().0
    }

    fn sink_at(&self, address: SocketAddr, mode: WriteMode) -> (DynamoDbSink, SinkMetrics) {
        let (dynamo, metrics) = self.connect_at(address, true).unwrap();
        (dynamo.into_sink(mode), metrics)
    }

    fn sink(&self, mode: WriteMode) -> DynamoDbSink {
        self.connect().into_sink(mode)
    }

    fn only(&self) -> (u64, u64, u64) {
        let items = self.items(TABLE);
        assert_eq!(items.len(), 1);
        let number = |name: &str| items[0][name].as_n().unwrap().parse().unwrap();
        (number("unique_user_count"), number("revision"), number("job_epoch"))
    }

    fn put(&self, table: &str, attributes: &[(&str, AttributeValue)]) {
        let mut request = self.client().put_item().table_name(table);
        for (name, value) in attributes {
            request = request.item(*name, value.clone());
        }
        self.runtime.block_on(request.send()).unwrap();
    }
}

fn row(product: &str, users: u64, revision: u64) -> ResultRow {
    let window = Window::from_start_text("2024-01-01T12:00:00Z").unwrap();
    ResultRow { product_id: product.to_owned(), window, unique_user_count: users, revision }
}

fn rows(count: usize) -> Vec<ResultRow> {
    (0..count).map(|product| row(&product.to_string(), 1, 0)).collect()
}

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn n(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// The sentence of a job that has been replaced.
fn refusal(error: &Error) -> &str {
    let Error::Refused(text) = error else { panic!("{error:?}") };
    assert_eq!(error.exit_code(), 78);
    assert!(text.contains("let one of the two run"), "{text}");
    text
}
