//! A bucket, a gateway, and an importer between them.

use std::sync::Mutex;
use std::time::Duration;

use product_import::{Continuation, Continue, Error, Gateway, ImportArgs, Importer, Summary, TimeLimit};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::gateway::{FakeGateway, TOKEN};
use crate::s3::{BUCKET, FakeS3};

/// Continuations that nobody has handled yet.
#[derive(Default)]
pub(crate) struct Queue(Mutex<Vec<Continuation>>);

impl Continue for Queue {
    async fn go_on(&self, continuation: &Continuation) -> Result<(), Error> {
        self.0.lock().unwrap().push(continuation.clone());
        Ok(())
    }
}

impl Queue {
    pub(crate) fn take(&self) -> Vec<Value> {
        let all = std::mem::take(&mut *self.0.lock().unwrap());
        all.into_iter().map(|continuation| serde_json::to_value(continuation).unwrap()).collect()
    }
}

pub(crate) struct World {
    pub(crate) gateway: FakeGateway,
    pub(crate) s3: FakeS3,
    pub(crate) importer: Importer,
    pub(crate) queue: Queue,
}

pub(crate) fn args() -> ImportArgs {
    ImportArgs {
        import_concurrency: 8,
        import_checkpoint_interval: Duration::from_secs(30),
        import_checkpoint_rows: 10_000,
    }
}

/// A time limit that is reached so soon.
pub(crate) fn within(time: Duration) -> Option<TimeLimit> {
    let stop_at = Instant::now() + time;
    Some(TimeLimit { stop_at, give_up_at: stop_at + Duration::from_secs(5) })
}

/// The event of S3 for new objects with these keys, which are encoded as S3 does.
pub(crate) fn created(keys: &[&str]) -> Value {
    let record = |key: &&str| {
        json!({
            "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-central-1",
            "eventTime": "2026-01-01T12:00:00.000Z", "eventName": "ObjectCreated:Put",
            "userIdentity": {"principalId": "A"}, "requestParameters": {"sourceIPAddress": "127.0.0.1"},
            "responseElements": {},
            "s3": {
                "s3SchemaVersion": "1.0", "configurationId": "import",
                "bucket": {"name": BUCKET, "ownerIdentity": {"principalId": "A"}, "arn": "arn:aws:s3:::imports"},
                "object": {"key": key, "size": 1, "eTag": "abc", "sequencer": "0A"},
            },
        })
    };
    json!({"Records": keys.iter().map(record).collect::<Vec<_>>()})
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::of(FakeS3::start().await).await
    }

    /// Another gateway, which knows nothing yet, beside this bucket.
    pub(crate) async fn of(s3: FakeS3) -> Self {
        let gateway = FakeGateway::start().await;
        let importer = Importer {
            store: s3.store.clone(),
            gateway: Gateway::new(&gateway.url(), &TOKEN.into(), None).unwrap(),
            args: args(),
        };
        World { gateway, s3, importer, queue: Queue::default() }
    }

    pub(crate) async fn deliver(&self, event: Value, limit: Option<TimeLimit>) -> (Summary, Result<(), Error>) {
        let mut summary = Summary::default();
        let result = spawnable(self.importer.handle(event, limit, &self.queue, &mut summary)).await;
        (summary, result)
    }

    /// Imports an object, without a time limit; returns its report.
    pub(crate) async fn import(&self, key: &str) -> Value {
        let (_, result) = self.deliver(created(&[key]), None).await;
        result.unwrap();
        assert!(self.queue.take().is_empty());
        self.s3.report(key).await
    }

    /// Puts a file there and imports it.
    pub(crate) async fn import_file(&self, key: &str, content: impl Into<Vec<u8>>) -> Value {
        self.s3.put(key, content).await;
        self.import(key).await
    }
}

/// The platform on one machine handles events in tasks of their own.
fn spawnable<F: Future + Send>(handling: F) -> F {
    handling
}

/// The counts of a report: read, created, unchanged, failed.
pub(crate) fn counts(report: &Value) -> [u64; 4] {
    let counts = ["read", "created", "unchanged", "failed"].map(|name| report["rows"][name].as_u64().unwrap());
    let [read, created, unchanged, failed] = counts;
    assert_eq!(read, created + unchanged + failed, "{report}");
    counts
}

/// `count` rows below a header.
pub(crate) fn rows(count: usize) -> String {
    let rows = (1..=count).map(|row| format!("Product {row},{row}.50,{row}\n"));
    std::iter::once("name,price,stock_quantity\n".to_owned()).chain(rows).collect()
}
