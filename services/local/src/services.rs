//! The services, each as in production: with its own settings, over sockets, from the inside out.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::Parser;
use service_kit::auth::{Caller, Role};
use service_kit::session::{self, DynamoDbArgs, Sessions};
use service_kit::{Error, Listeners};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::args::Args;
use crate::backends::Backends;
use crate::checklist::Checklist;
use crate::folder::Folder;
use crate::job;
use crate::secrets::Secrets;

/// How long a part may take to be ready.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How often it is asked.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// How long the admin's session lasts; each start begins it anew.
const SESSION: Duration = Duration::from_secs(400 * 24 * 3_600);
/// What is different from production with the embedded broker.
const EMBEDDED: [&str; 2] = [
    "the embedded broker has no transactions: rows are written at least once, and the place to go on from is in a file",
    "what else is different on one machine: docs/local.md",
];

/// What runs.
#[derive(Debug)]
pub(crate) struct Services {
    /// The gateway ends first: what it is answering still needs the others.
    stop_gateway: CancellationToken,
    stop: CancellationToken,
    gateway: JoinSet<Result<(), Error>>,
    tasks: JoinSet<Result<(), Error>>,
    job: Option<oneshot::Receiver<Result<(), Error>>>,
}

impl Services {
    pub(crate) fn new() -> Self {
        Services {
            stop_gateway: CancellationToken::new(),
            stop: CancellationToken::new(),
            gateway: JoinSet::new(),
            tasks: JoinSet::new(),
            job: None,
        }
    }

    /// Starts everything; returns where the gateway is.
    pub(crate) async fn start(
        &mut self,
        args: &Args,
        secrets: &Secrets,
        backends: &Backends,
        folder: &Folder,
        checklist: &Checklist,
    ) -> Result<String, Error> {
        let dynamodb = dynamodb_args(backends)?;
        let client = session::client(&dynamodb).await;
        make_session(secrets, &Sessions::new(client.clone(), &dynamodb)).await?;
        let since = job::last_word(&client).await;
        self.job = Some(job::start(args, backends, folder, self.stop.clone())?);
        let catalog = self.start_catalog(secrets, backends).await?;
        self.wait_until_ready("product-catalog", &catalog).await?;
        checklist.done("product-catalog", &catalog);
        let activity = self.start_activity(secrets, backends).await?;
        self.wait_until_ready("activity-service", &activity).await?;
        checklist.done("activity-service", &activity);
        self.wait_for("the dataflow job", || async { job::last_word(&client).await != since }).await?;
        checklist.done("dataflow", "counts minute by minute");
        let gateway = self.start_gateway(args, secrets, backends, [&catalog, &activity]).await?;
        self.wait_until_ready("api-gateway", &gateway).await?;
        checklist.done("api-gateway", &gateway);
        if backends.has_embedded_kafka() {
            EMBEDDED.iter().for_each(|note| checklist.note(note));
        }
        Ok(gateway)
    }

    async fn start_catalog(&mut self, secrets: &Secrets, backends: &Backends) -> Result<String, Error> {
        // A flag has the name of its variable.
        let flag = |variable: &str| format!("--{}", variable.to_ascii_lowercase().replace('_', "-"));
        let database: Vec<_> =
            backends.database().into_iter().map(|(variable, value)| (flag(variable), value)).collect();
        let mut flags =
            vec![("--internal-token-secret", secrets.catalog.as_str()), ("--idempotency-secret", &secrets.idempotency)];
        flags.extend(database.iter().map(|(flag, value)| (flag.as_str(), value.as_str())));
        let (listeners, url) = listen(0).await?;
        let args: product_catalog::Args = settings(product_catalog::NAME, &flags)?;
        self.tasks.spawn(product_catalog::run(args, listeners, self.stop.clone()));
        Ok(url)
    }

    async fn start_activity(&mut self, secrets: &Secrets, backends: &Backends) -> Result<String, Error> {
        let flags = [
            ("--internal-token-secret", secrets.activity.as_str()),
            ("--kafka-bootstrap-servers", &backends.kafka_servers),
        ];
        let (listeners, url) = listen(0).await?;
        let args: activity_service::Args = settings(activity_service::NAME, &flags)?;
        self.tasks.spawn(activity_service::run(args, listeners, self.stop.clone()));
        Ok(url)
    }

    async fn start_gateway(
        &mut self,
        args: &Args,
        secrets: &Secrets,
        backends: &Backends,
        [catalog, activity]: [&str; 2],
    ) -> Result<String, Error> {
        let flags = [
            ("--product-service-url", catalog),
            ("--product-service-secret", &secrets.catalog),
            ("--activity-service-url", activity),
            ("--activity-service-secret", &secrets.activity),
            ("--events-write-keys", &secrets.write_key),
            ("--dynamodb-endpoint-url", &backends.dynamodb_url),
            ("--kafka-bootstrap-servers", &backends.kafka_servers),
        ];
        let (listeners, url) = listen(args.port).await?;
        let args: api_gateway::Args = settings(api_gateway::NAME, &flags)?;
        self.gateway.spawn(api_gateway::run(args, listeners, self.stop_gateway.clone()));
        Ok(url)
    }

    async fn wait_until_ready(&mut self, part: &str, url: &str) -> Result<(), Error> {
        let (client, url) = (service_kit::client::new()?, format!("{url}/readyz"));
        let is_ready = || async { client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) };
        self.wait_for(part, is_ready).await
    }

    /// Asks until the answer is yes.
    async fn wait_for(&mut self, part: &str, is_ready: impl AsyncFn() -> bool) -> Result<(), Error> {
        let ready = async {
            while !is_ready().await {
                tokio::time::sleep(ASK_EVERY).await;
            }
        };
        tokio::select! {
            () = ready => Ok(()),
            ended = self.next_end() => Err(early(ended)),
            () = tokio::time::sleep(START_LIMIT) => Err(Error::Failed(format!(
                "{part} is not ready after {} s; start again with RUST_LOG=info to see what it waits for",
                START_LIMIT.as_secs()
            ))),
        }
    }

    /// Waits for `stop`, or for the first part that ends by itself.
    pub(crate) async fn run_until(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            ended = self.next_end() => Err(early(ended)),
        }
    }

    /// The first part that ends.
    async fn next_end(&mut self) -> Result<(), Error> {
        let of_job = async {
            match &mut self.job {
                Some(job) => job.await.unwrap_or_else(|_| Err(job_panicked())),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(ended) = self.gateway.join_next() => outcome(ended),
            Some(ended) = self.tasks.join_next() => outcome(ended),
            ended = of_job => {
                self.job = None;
                ended
            }
        }
    }

    /// Stops everything and waits until requests in work have ended and the job has committed.
    pub(crate) async fn stop(&mut self) -> Result<(), Error> {
        let mut result = Ok(());
        self.stop_gateway.cancel();
        while let Some(ended) = self.gateway.join_next().await {
            result = result.and(outcome(ended));
        }
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            result = result.and(outcome(ended));
        }
        if let Some(job) = self.job.take() {
            result = result.and(job.await.unwrap_or_else(|_| Err(job_panicked())));
        }
        result
    }
}

fn outcome(ended: Result<Result<(), Error>, JoinError>) -> Result<(), Error> {
    ended.unwrap_or_else(|panic| Err(Error::Failed(format!("a service ended: {panic}"))))
}

fn early(ended: Result<(), Error>) -> Error {
    ended.err().unwrap_or_else(|| Error::Failed("a part ended by itself".to_owned()))
}

fn job_panicked() -> Error {
    Error::Failed("the dataflow job panicked; please report what stands above".to_owned())
}

/// A service's settings: ours go before variables, which go before defaults.
fn settings<A: Parser>(name: &str, flags: &[(&str, &str)]) -> Result<A, Error> {
    // Addresses are ours: services of one process cannot share LISTEN_ADDR.
    let own = [("--listen-addr", "127.0.0.1:0")];
    let flags = own.iter().chain(flags).map(|(flag, value)| format!("{flag}={value}"));
    A::try_parse_from(std::iter::once(name.to_owned()).chain(flags)).map_err(|error| Error::Usage(error.to_string()))
}

async fn listen(port: u16) -> Result<(Listeners, String), Error> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AddrInUse => Error::Failed(format!(
            "port {port} of 127.0.0.1 is in use; stop the program that listens there, or choose another with --port"
        )),
        _ => Error::Failed(format!("cannot listen on {address}: {error}; choose another port with --port")),
    };
    let public = TcpListener::bind(address).await.map_err(failed)?;
    let address = public.local_addr().map_err(failed)?;
    Ok((Listeners { public, admin: None }, format!("http://{address}")))
}

/// The settings of a client of DynamoDB, as services have them.
fn dynamodb_args(backends: &Backends) -> Result<DynamoDbArgs, Error> {
    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        dynamodb: DynamoDbArgs,
    }
    let only = Only::try_parse_from(["local", "--dynamodb-endpoint-url", &backends.dynamodb_url]);
    only.map(|only| only.dynamodb).map_err(|error| Error::Usage(error.to_string()))
}

/// Begins the admin's session: nothing else can make an admin.
async fn make_session(secrets: &Secrets, sessions: &Sessions) -> Result<(), Error> {
    sessions.create_table().await?;
    let admin = Caller { principal: "local-admin".to_owned(), role: Role::Admin, customer_id: None };
    let begun = sessions.put(&secrets.admin_token, &admin, SESSION).await;
    begun.map_err(|_| Error::Failed("the admin's session cannot be stored; is DynamoDB reachable?".to_owned()))
}
