//! The DynamoDB sink on an emulator in this process, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/dynamo.rs"]
mod dynamo;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use dataflow::error::Error;
use dataflow::metrics::{Metrics, SinkMetrics};
use dataflow::sink::Sink;
use dataflow::sink::dynamodb::{DynamoDbArgs, DynamoDbSink, WriteMode};
use dynamo::Dynamo;
use schemas::{ResultRow, Window};

const TABLE: &str = "ecom-analytics";
const REPLAY: WriteMode = WriteMode::Replay { overwrite: false };

const fn job(epoch: u64) -> WriteMode {
    WriteMode::Job { epoch }
}

/// What these tests do with a DynamoDB.
trait Sinks {
    fn open_at(
        &self,
        address: SocketAddr,
        mode: WriteMode,
        create_table: bool,
    ) -> Result<(DynamoDbSink, SinkMetrics), Error>;
    /// A sink on the table, which it creates where it is missing.
    fn sink(&self, mode: WriteMode) -> DynamoDbSink;
    /// Count, revision and epoch of the only item.
    fn only(&self) -> (u64, u64, u64);
    fn put(&self, attributes: &[(&str, AttributeValue)]);
}

impl Sinks for Dynamo {
    fn open_at(
        &self,
        address: SocketAddr,
        mode: WriteMode,
        create_table: bool,
    ) -> Result<(DynamoDbSink, SinkMetrics), Error> {
        let args = DynamoDbArgs { table: TABLE.to_owned(), in_flight: 8, create_table };
        let metrics = Metrics::default().sink("dynamodb");
        let runtime = self.runtime.handle().clone();
        let sink = DynamoDbSink::connect_with(&self.settings(address), &args, mode, metrics.clone(), runtime)?;
        Ok((sink, metrics))
    }

    fn sink(&self, mode: WriteMode) -> DynamoDbSink {
        self.open_at(self.address, mode, true).unwrap().0
    }

    fn only(&self) -> (u64, u64, u64) {
        let items = self.items(TABLE);
        assert_eq!(items.len(), 1);
        let number = |name: &str| items[0][name].as_n().unwrap().parse().unwrap();
        (number("unique_user_count"), number("revision"), number("job_epoch"))
    }

    fn put(&self, attributes: &[(&str, AttributeValue)]) {
        let mut request = self.client().put_item().table_name(TABLE);
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

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn n(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

#[test]
fn a_row_becomes_an_item_with_exactly_these_attributes() {
    let dynamo = Dynamo::start();
    let (mut sink, metrics) = dynamo.open_at(dynamo.address, job(7), true).unwrap();
    sink.write_rows(&[row("42", 17, 3)]).unwrap();
    let expected = HashMap::from([
        ("product_id".to_owned(), s("42")),
        ("window_start".to_owned(), s("2024-01-01T12:00:00Z")),
        ("window_end".to_owned(), s("2024-01-01T12:01:00Z")),
        ("unique_user_count".to_owned(), n(17)),
        ("revision".to_owned(), n(3)),
        ("final".to_owned(), AttributeValue::Bool(true)),
        ("job_epoch".to_owned(), n(7)),
    ]);
    assert_eq!(dynamo.items(TABLE), [expected]);
    assert_eq!((metrics.rows.get(), metrics.retries.get()), (1, 0));
    assert!(metrics.last_acknowledgement.get() > 1.7e9);
    Box::new(sink).finish().unwrap();
}

#[test]
fn more_rows_than_are_in_flight_all_arrive() {
    let dynamo = Dynamo::start();
    let (mut sink, metrics) = dynamo.open_at(dynamo.address, job(1), true).unwrap();
    let rows: Vec<_> = (0..100).map(|product| row(&product.to_string(), 1, 0)).collect();
    sink.write_rows(&rows).unwrap();
    sink.write_rows(&[]).unwrap();
    assert_eq!(dynamo.items(TABLE).len(), 100);
    assert_eq!(metrics.rows.get(), 100);
}

#[test]
fn writing_a_row_again_changes_nothing() {
    let dynamo = Dynamo::start();
    let mut sink = dynamo.sink(job(1));
    for _ in 0..3 {
        sink.write_rows(&[row("42", 17, 0)]).unwrap();
        assert_eq!(dynamo.only(), (17, 0, 1));
    }
}

#[test]
fn within_an_epoch_the_greatest_revision_stays_whatever_the_order() {
    let dynamo = Dynamo::start();
    let mut sink = dynamo.sink(job(1));
    for (users, revision, kept) in [(17, 0, (17, 0, 1)), (19, 2, (19, 2, 1)), (18, 1, (19, 2, 1)), (17, 0, (19, 2, 1))]
    {
        sink.write_rows(&[row("42", users, revision)]).unwrap();
        assert_eq!(dynamo.only(), kept);
    }
}

#[test]
fn a_final_row_replaces_a_live_one_of_any_count() {
    let dynamo = Dynamo::start();
    let mut sink = dynamo.sink(job(1));
    dynamo.put(&[
        ("product_id", s("42")),
        ("window_start", s("2024-01-01T12:00:00Z")),
        ("unique_user_count", n(99)),
        ("revision", n(5)),
        ("final", AttributeValue::Bool(false)),
        ("job_epoch", n(1)),
    ]);
    sink.write_rows(&[row("42", 17, 0)]).unwrap();
    assert_eq!(dynamo.only(), (17, 0, 1));
}

#[test]
fn a_later_epoch_wins_and_fences_the_earlier_one() {
    let dynamo = Dynamo::start();
    let mut old = dynamo.sink(job(1));
    let mut new = dynamo.sink(job(2));
    old.write_rows(&[row("42", 17, 9)]).unwrap();
    new.write_rows(&[row("42", 16, 0)]).unwrap();
    assert_eq!(dynamo.only(), (16, 0, 2));
    let error = old.write_rows(&[row("42", 17, 10)]).unwrap_err();
    let Error::Unavailable(text) = &error else { panic!("{error:?}") };
    assert!(text.contains("another job with epoch 2 owns table ecom-analytics"), "{text}");
    assert_eq!(dynamo.only(), (16, 0, 2));
}

#[test]
fn an_item_of_nobody_is_not_replaced() {
    let dynamo = Dynamo::start();
    let mut sink = dynamo.sink(job(1));
    dynamo.put(&[("product_id", s("42")), ("window_start", s("2024-01-01T12:00:00Z")), ("note", s("by hand"))]);
    let error = sink.write_rows(&[row("42", 17, 0)]).unwrap_err();
    assert!(matches!(&error, Error::Unavailable(text) if text.contains("no job of ours wrote")), "{error}");
}

#[test]
fn a_replay_repeats_itself_but_spares_the_rows_of_a_job() {
    let dynamo = Dynamo::start();
    let mut replay = dynamo.sink(REPLAY);
    replay.write_rows(&[row("42", 17, 0)]).unwrap();
    replay.write_rows(&[row("42", 18, 0)]).unwrap();
    assert_eq!(dynamo.only(), (18, 0, 0));

    dynamo.sink(job(1)).write_rows(&[row("42", 20, 0)]).unwrap();
    let error = replay.write_rows(&[row("42", 17, 0)]).unwrap_err();
    let Error::Usage(text) = &error else { panic!("{error:?}") };
    assert_eq!(
        text,
        "table ecom-analytics holds rows written by a job (product \"42\", window 2024-01-01T12:00:00Z); pass --overwrite \
         to replace them"
    );
    assert_eq!(dynamo.only(), (20, 0, 1));

    dynamo.sink(WriteMode::Replay { overwrite: true }).write_rows(&[row("42", 17, 0)]).unwrap();
    assert_eq!(dynamo.only(), (17, 0, 0));
    dynamo.sink(job(1)).write_rows(&[row("42", 20, 0)]).unwrap();
    assert_eq!(dynamo.only(), (20, 0, 1));
}

#[test]
fn a_missing_table_is_an_error_with_both_remedies_and_is_created_when_asked() {
    let dynamo = Dynamo::start();
    let error = dynamo.open_at(dynamo.address, job(1), false).unwrap_err();
    let Error::Usage(text) = &error else { panic!("{error:?}") };
    assert!(
        text.starts_with("DynamoDB table ecom-analytics does not exist; create it with --create-table or"),
        "{text}"
    );
    assert!(text.contains("aws dynamodb create-table --table-name ecom-analytics"), "{text}");

    for _ in 0..2 {
        assert!(dynamo.open_at(dynamo.address, job(1), true).is_ok());
    }
    let table =
        dynamo.runtime.block_on(dynamo.client().describe_table().table_name(TABLE).send()).unwrap().table.unwrap();
    let keys: Vec<_> = table.key_schema().iter().map(|key| (key.attribute_name(), key.key_type().as_str())).collect();
    assert_eq!(keys, [("product_id", "HASH"), ("window_start", "RANGE")]);
    assert_eq!(table.billing_mode_summary().and_then(|mode| mode.billing_mode()), Some(&BillingMode::PayPerRequest));
}

#[test]
fn a_table_that_disappears_is_an_error_too() {
    let dynamo = Dynamo::start();
    let mut sink = dynamo.sink(job(1));
    dynamo.runtime.block_on(dynamo.client().delete_table().table_name(TABLE).send()).unwrap();
    assert!(matches!(sink.write_rows(&[row("42", 1, 0)]), Err(Error::Usage(text)) if text.contains("--create-table")));
}

#[test]
fn a_table_with_other_keys_is_refused() {
    let dynamo = Dynamo::start();
    let request = dynamo
        .client()
        .create_table()
        .table_name(TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(
            AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::N).build().unwrap(),
        )
        .key_schema(KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build().unwrap());
    dynamo.runtime.block_on(request.send()).unwrap();
    let error = dynamo.open_at(dynamo.address, job(1), true).unwrap_err();
    assert!(
        matches!(&error, Error::Usage(text) if text.contains("has the keys id HASH, not product_id HASH")),
        "{error}"
    );
}

#[test]
fn an_endpoint_that_nobody_serves_is_named_in_time() {
    let dynamo = Dynamo::start();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let started = Instant::now();
    let error = dynamo.open_at(address, job(1), false).unwrap_err();
    let Error::Unavailable(text) = &error else { panic!("{error:?}") };
    assert!(text.contains(&format!("http://{address}")) && text.contains("refused"), "{text}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn errors_of_the_service_throttling_and_lost_connections_are_retried_and_counted() {
    for fault in [Fault::Http500, Fault::Throttling, Fault::HangUp] {
        let dynamo = Dynamo::start();
        dynamo.sink(job(1));
        let proxy = Proxy::start(dynamo.address, fault);
        let (mut sink, metrics) = dynamo.open_at(proxy.address, job(1), false).unwrap();
        proxy.faults.store(5, Ordering::SeqCst);
        let rows: Vec<_> = (0..20).map(|product| row(&product.to_string(), 1, 0)).collect();
        sink.write_rows(&rows).unwrap();
        assert_eq!(dynamo.items(TABLE).len(), 20, "{fault:?}");
        assert_eq!(metrics.rows.get(), 20, "{fault:?}");
        // The connection pool may repeat a request by itself where a reused connection was closed under it.
        let retries = metrics.retries.get();
        assert!(if fault == Fault::HangUp { (1..=5).contains(&retries) } else { retries == 5 }, "{fault:?}: {retries}");
    }
}

#[test]
fn a_service_that_never_recovers_is_given_up_with_the_last_cause() {
    let dynamo = Dynamo::start();
    dynamo.sink(job(1));
    let proxy = Proxy::start(dynamo.address, Fault::Throttling);
    let (sink, metrics) = dynamo.open_at(proxy.address, job(1), false).unwrap();
    let mut sink = sink.with_patience(Duration::from_secs(1));
    proxy.faults.store(u32::MAX, Ordering::SeqCst);
    let error = sink.write_rows(&[row("42", 1, 0)]).unwrap_err();
    let Error::Unavailable(text) = &error else { panic!("{error:?}") };
    assert!(text.contains("ThrottlingException: slow down") && text.contains("has not served a request for"), "{text}");
    assert!(metrics.retries.get() >= 2);
    assert_eq!(metrics.rows.get(), 0);
}

#[test]
fn a_refusal_is_not_retried() {
    let dynamo = Dynamo::start();
    dynamo.sink(job(1));
    let proxy = Proxy::start(dynamo.address, Fault::AccessDenied);
    let (mut sink, metrics) = dynamo.open_at(proxy.address, job(1), false).unwrap();
    proxy.faults.store(1, Ordering::SeqCst);
    let error = sink.write_rows(&[row("42", 1, 0)]).unwrap_err();
    assert!(matches!(&error, Error::Unavailable(text) if text.contains("grant dynamodb:PutItem")), "{error}");
    assert_eq!(metrics.retries.get(), 0);
}

#[test]
fn a_name_that_no_table_can_have_is_refused() {
    let dynamo = Dynamo::start();
    for table in ["", "a b"] {
        let args = DynamoDbArgs { table: table.to_owned(), in_flight: 8, create_table: true };
        let (metrics, runtime) = (Metrics::default().sink("dynamodb"), dynamo.runtime.handle().clone());
        let error =
            DynamoDbSink::connect_with(&dynamo.settings(dynamo.address), &args, REPLAY, metrics, runtime).unwrap_err();
        assert!(matches!(&error, Error::Usage(text) if text.contains("DYNAMODB_TABLE")), "{error}");
    }
}

#[test]
fn the_flags_of_both_destinations_fit_into_one_command() {
    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        kafka: dataflow::kafka::KafkaArgs,
        #[command(flatten)]
        dynamodb: DynamoDbArgs,
    }
    <Cli as clap::CommandFactory>::command().debug_assert();
    let parse = |flags: &[&str]| <Cli as clap::Parser>::try_parse_from([&["x"], flags].concat());
    let cli = parse(&["--dynamodb-table=t", "--dynamodb-in-flight=9", "--create-table"]).unwrap();
    assert_eq!((cli.dynamodb.table.as_str(), cli.dynamodb.in_flight, cli.dynamodb.create_table), ("t", 9, true));
    assert!(cli.kafka.properties.is_empty());
    assert!(parse(&["--dynamodb-in-flight=0"]).is_err());
}

/// What happens to a put instead of its being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Http500,
    Throttling,
    AccessDenied,
    HangUp,
}

impl Fault {
    fn answer(self) -> Option<String> {
        let (status, body) = match self {
            Fault::HangUp => return None,
            Fault::Http500 => ("500 Internal Server Error", String::from("<html>oops</html>")),
            Fault::Throttling => ("400 Bad Request", error_body("ThrottlingException", "slow down")),
            Fault::AccessDenied => ("400 Bad Request", error_body("AccessDeniedException", "not authorized")),
        };
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.0\r\n");
        Some(format!("{head}content-length: {}\r\n\r\n{body}", body.len()))
    }
}

fn error_body(code: &str, message: &str) -> String {
    format!(r#"{{"__type":"com.amazon.coral.service#{code}","message":"{message}"}}"#)
}

/// Stands before DynamoDB and spoils as many puts as `faults` says; all else it passes on.
struct Proxy {
    address: SocketAddr,
    faults: Arc<AtomicU32>,
}

impl Proxy {
    fn start(target: SocketAddr, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let faults = Arc::new(AtomicU32::new(0));
        let shared = Arc::clone(&faults);
        // Ends with the process.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let faults = Arc::clone(&shared);
                std::thread::spawn(move || serve(&client, target, fault, &faults));
            }
        });
        Proxy { address, faults }
    }
}

/// Serves one connection until it ends, which shows as an error.
fn serve(mut client: &TcpStream, target: SocketAddr, fault: Fault, faults: &AtomicU32) -> std::io::Result<()> {
    let mut requests = BufReader::new(client);
    let mut upstream = TcpStream::connect(target)?;
    let mut answers = BufReader::new(upstream.try_clone()?);
    loop {
        let request = message(&mut requests)?;
        let is_put = String::from_utf8_lossy(&request).contains("DynamoDB_20120810.PutItem");
        let left = |left: u32| left.checked_sub(1);
        if is_put && faults.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left).is_ok() {
            match fault.answer() {
                Some(answer) => client.write_all(answer.as_bytes())?,
                None => return Ok(()),
            }
            continue;
        }
        upstream.write_all(&request)?;
        client.write_all(&message(&mut answers)?)?;
    }
}

/// One HTTP/1.1 message with its body.
fn message(from: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut length = 0;
    loop {
        let start = bytes.len();
        if from.read_until(b'\n', &mut bytes)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(&bytes[start..]).to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            let head = bytes.len();
            bytes.resize(head + length, 0);
            from.read_exact(&mut bytes[head..])?;
            return Ok(bytes);
        }
    }
}
