//! Imports of products: every CSV file that is put into the bucket of our own S3, by the handler of the function in the cloud.
//!
//! What the cloud does around the function is done here: an event for each new file, a time limit, another try after a failure,
//! and an import that goes on in a later invocation. Events are in memory; files that were not done when the platform ended
//! are found at its next start.

mod unfinished;

use std::time::Duration;

use aws_client::S3EndpointArgs;
use backends::s3::Created;
use chrono::Utc;
use clap::Parser;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use product_import::{Continuation, Continue, Gateway, ImportArgs, Importer, Store, Summary, TimeLimit};
use schemas::names::PRODUCT_IMPORTS_BUCKET;
use serde_json::{Value, json};
use service_kit::Error;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::checklist::say;

/// What the bucket's notifications are for.
const SUFFIX: &str = ".csv";
/// How long an invocation may take: as long as in the cloud.
const TIME_LIMIT: Duration = Duration::from_secs(15 * 60);
/// How many run at once.
const INVOCATIONS: usize = 4;
/// How often an event is handled that fails, as in the cloud, and the pauses between.
const PAUSES: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(60)];

/// Where products are made, and where files come from.
pub(crate) struct Imports {
    importer: Importer,
    s3: aws_sdk_s3::Client,
    created: UnboundedReceiver<Created>,
}

/// Invocations to come.
struct Queue(UnboundedSender<Invocation>);

/// An event, and the key that it is about.
struct Invocation {
    key: String,
    event: Value,
}

impl Imports {
    /// Imports through the gateway at `url`, as whoever has the token.
    pub(crate) async fn new(
        s3_url: &str,
        url: &str,
        token: &str,
        created: UnboundedReceiver<Created>,
    ) -> Result<Self, Error> {
        let endpoint = S3EndpointArgs { url: Some(s3_url.to_owned()) };
        let s3 = client(&endpoint).await;
        let base = url.parse().map_err(|error| Error::Failed(format!("{url} is no URL: {error}")))?;
        let gateway = Gateway::new(&base, &token.to_owned().into(), None).map_err(failed)?;
        Ok(Imports { importer: Importer { store: Store::new(&endpoint).await, gateway, args: args()? }, s3, created })
    }

    /// Imports until `stop`. What is in work then is begun again at the next start, which makes no product twice.
    pub(crate) async fn run(self, stop: CancellationToken) -> Result<(), Error> {
        let Imports { importer, s3, mut created } = self;
        let (queue, mut invocations) = mpsc::unbounded_channel();
        let queue = Queue(queue);
        let feed = async {
            // Files of before first; those of from now on wait meanwhile.
            match unfinished::keys(&s3, PRODUCT_IMPORTS_BUCKET, SUFFIX).await {
                Ok(keys) => keys.into_iter().for_each(|key| queue.put(Invocation::of_object(key))),
                Err(error) => tracing::warn!(%error, "files of an earlier start are not looked for"),
            }
            while let Some(Created { bucket, key }) = created.recv().await {
                if bucket == PRODUCT_IMPORTS_BUCKET && key.ends_with(SUFFIX) {
                    queue.put(Invocation::of_object(key));
                }
            }
        };
        let work = work(&importer, &queue, &mut invocations);
        let both = async { tokio::join!(feed, work) };
        stop.run_until_cancelled(both).await;
        Ok(())
    }
}

/// A client of S3, which asks by path.
async fn client(endpoint: &S3EndpointArgs) -> aws_sdk_s3::Client {
    let settings = aws_sdk_s3::config::Builder::from(&endpoint.loader().load().await);
    aws_sdk_s3::Client::from_conf(settings.force_path_style(endpoint.uses_paths()).build())
}

impl Queue {
    fn put(&self, invocation: Invocation) {
        // Whoever reads ends together with us.
        drop(self.0.send(invocation));
    }
}

impl Continue for Queue {
    async fn go_on(&self, continuation: &Continuation) -> Result<(), product_import::Error> {
        let event = serde_json::to_value(continuation);
        let event = event.map_err(|error| product_import::Error::Internal(error.to_string()))?;
        self.put(Invocation { key: continuation.key.clone(), event });
        Ok(())
    }
}

impl Invocation {
    /// With the event that S3 sends for a new object.
    fn of_object(key: String) -> Self {
        let written: String = form_urlencoded::byte_serialize(key.as_bytes()).collect();
        let event = json!({"Records": [{
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventTime": Utc::now(),
            "eventName": "ObjectCreated:Put",
            "userIdentity": {},
            "requestParameters": {},
            "responseElements": {},
            "s3": {"bucket": {"name": PRODUCT_IMPORTS_BUCKET}, "object": {"key": written}},
        }]});
        Invocation { key, event }
    }
}

/// Carries out invocations, several at once.
async fn work(importer: &Importer, queue: &Queue, invocations: &mut UnboundedReceiver<Invocation>) {
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(invocation) = invocations.recv(), if running.len() < INVOCATIONS => {
                running.push(invoke(importer, invocation, queue));
            }
            Some(()) = running.next(), if !running.is_empty() => {}
            else => return,
        }
    }
}

/// Handles an event, again where that fails.
async fn invoke(importer: &Importer, Invocation { key, event }: Invocation, queue: &Queue) {
    let place = format!("s3://{PRODUCT_IMPORTS_BUCKET}/{key}");
    for pause in PAUSES.iter().copied().map(Some).chain([None]) {
        let mut summary = Summary::default();
        let limit = TimeLimit::before(Instant::now() + TIME_LIMIT, None);
        let Err(error) = importer.handle(event.clone(), Some(limit), queue, &mut summary).await else {
            tell(&place, &summary);
            return;
        };
        match pause {
            Some(pause) => {
                tracing::warn!(%error, file = place, again_after = ?pause, "not imported");
                tokio::time::sleep(pause).await;
            }
            None => say(&format!("{place} is not imported: {error}; put it there again, or start footfall again")),
        }
    }
}

fn tell(place: &str, summary: &Summary) {
    let rows = summary.rows;
    if summary.finished + summary.refused > 0 {
        let outcome = if summary.refused > 0 { "refused" } else { "imported" };
        say(&format!(
            "{outcome} {place}: {} products created, {} unchanged, {} rows failed; see {place}{}",
            rows.created,
            rows.unchanged,
            rows.failed,
            product_import::REPORT_SUFFIX
        ));
    }
}

/// How files are imported: by the variables of the function.
fn args() -> Result<ImportArgs, Error> {
    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        import: ImportArgs,
    }
    let only = Only::try_parse_from(["product-import"]);
    only.map(|only| only.import).map_err(|error| Error::Usage(error.to_string()))
}

// The error is handed over by value.
#[allow(clippy::needless_pass_by_value)]
fn failed(error: product_import::Error) -> Error {
    Error::Failed(error.to_string())
}
