//! The services, each as in production: with its own settings, over sockets, from the inside out.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use service_kit::auth::{Caller, Role};
use service_kit::session::{self, Sessions};
use service_kit::{Error, Listeners};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::admin::Part;
use crate::args::Args;
use crate::backends::Backends;
use crate::checklist::Checklist;
use crate::faults::{Switch, Switches, run_switched};
use crate::folder::Folder;
use crate::imports::Imports;
use crate::job::{self, Job};
use crate::secrets::Secrets;
use crate::settings::{Given, Urls, dynamodb};

/// How long a part may take to be ready.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How often it is asked.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// How long the admin's session lasts; each start begins it anew.
const SESSION: Duration = Duration::from_secs(400 * 24 * 3_600);
/// What is different from production with the embedded broker.
const EMBEDDED_KAFKA: &str =
    "the embedded broker has no transactions: rows are written at least once, and the place to go on from is in a file";
const EMBEDDED_SQS: &str = "the embedded SQS keeps its messages in memory: a restart empties the queue of order events";
const MORE: &str = "what else is different on one machine: docs/local.md";

/// What runs.
#[derive(Debug)]
pub(crate) struct Services {
    /// The gateway ends first: what it is answering still needs the others.
    stop_gateway: CancellationToken,
    stop: CancellationToken,
    gateway: JoinSet<Result<(), Error>>,
    tasks: JoinSet<Result<(), Error>>,
    job: Option<oneshot::Receiver<Result<(), Error>>>,
    /// Everything that tells metrics.
    parts: Vec<Part>,
    switches: Switches,
}

impl Services {
    pub(crate) fn new() -> Self {
        Services {
            stop_gateway: CancellationToken::new(),
            stop: CancellationToken::new(),
            gateway: JoinSet::new(),
            tasks: JoinSet::new(),
            job: None,
            parts: Vec::new(),
            switches: Switches::new(),
        }
    }

    /// Everything that tells metrics; complete once all is started.
    pub(crate) fn parts(&self) -> Vec<Part> {
        self.parts.clone()
    }

    /// What services are switched off by.
    pub(crate) fn switches(&self) -> Switches {
        self.switches.clone()
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
        let dynamodb = dynamodb(backends)?;
        let client = session::client(&dynamodb).await;
        make_sessions(secrets, &Sessions::new(client.clone(), &dynamodb)).await?;
        let since = job::last_word(&client).await;
        let Job { ended, admin: metrics_of_job } = job::start(backends, folder, self.stop.clone())?;
        self.job = Some(ended);
        let given = Given { secrets, backends };
        let catalog = given.catalog()?;
        let switch = self.switches.catalog.clone();
        let catalog =
            self.start_service(product_catalog::NAME, catalog, product_catalog::run, switch, checklist).await?;
        let orders = given.orders(&catalog)?;
        job::create_topic(&orders.kafka, &orders.kafka_orders_topic).await?;
        let orders =
            self.start_service(order_service::NAME, orders, order_service::run, Switch::new(), checklist).await?;
        let customers = given.customers(&orders)?;
        let customers = self
            .start_service(customer_service::NAME, customers, customer_service::run, Switch::new(), checklist)
            .await?;
        let activity = given.activity()?;
        let activity = self
            .start_service(activity_service::NAME, activity, activity_service::run, Switch::new(), checklist)
            .await?;
        self.wait_for("the dataflow job", || async { job::last_word(&client).await != since }).await?;
        if let Some(address) = metrics_of_job.get() {
            self.parts.push(Part { name: "dataflow", url: format!("http://{address}/metrics") });
        }
        checklist.done("dataflow", "counts minute by minute");
        let urls = Urls { catalog, customers, orders, activity };
        let (listeners, gateway) = listen(args.port).await?;
        self.tells_metrics(api_gateway::NAME, &listeners)?;
        let (settings, switch) = (given.gateway(&urls)?, self.switches.gateway.clone());
        let run = run_switched(api_gateway::run, settings, listeners, switch, self.stop_gateway.clone());
        self.gateway.spawn(run);
        self.wait_until_ready(api_gateway::NAME, &gateway).await?;
        checklist.done(api_gateway::NAME, &gateway);
        if backends.has_embedded_kafka() {
            checklist.note(EMBEDDED_KAFKA);
        }
        if backends.has_embedded_sqs() {
            checklist.note(EMBEDDED_SQS);
        }
        checklist.note(MORE);
        Ok(gateway)
    }

    /// Imports files until the gateway is stopped.
    pub(crate) fn import(&mut self, imports: Imports) {
        self.gateway.spawn(imports.run(self.stop_gateway.clone()));
    }

    /// Runs a service on a free port until everything stops, whenever the switch is on, and waits until it is ready.
    async fn start_service<A, F>(
        &mut self,
        name: &'static str,
        args: A,
        run: fn(A, Listeners, CancellationToken) -> F,
        switch: Switch,
        checklist: &Checklist,
    ) -> Result<String, Error>
    where
        A: Clone + Send + 'static,
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let (listeners, url) = listen(0).await?;
        self.tells_metrics(name, &listeners)?;
        self.tasks.spawn(run_switched(run, args, listeners, switch, self.stop.clone()));
        self.wait_until_ready(name, &url).await?;
        checklist.done(name, &url);
        Ok(url)
    }

    fn tells_metrics(&mut self, name: &'static str, listeners: &Listeners) -> Result<(), Error> {
        if let Some(admin) = &listeners.admin {
            let address = admin.local_addr().map_err(|error| Error::Failed(error.to_string()))?;
            self.parts.push(Part { name, url: format!("http://{address}/metrics") });
        }
        Ok(())
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
    let admin = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
    Ok((Listeners { public, admin: Some(admin) }, format!("http://{address}")))
}

/// Begins the sessions of the admin and of the import: nothing else can make an admin.
async fn make_sessions(secrets: &Secrets, sessions: &Sessions) -> Result<(), Error> {
    sessions.create_table().await?;
    let admin = (&secrets.admin_token, Caller::new("local-admin", Role::Admin));
    let import = (&secrets.import_token, Caller::new(product_import::NAME, Role::Service));
    for (token, caller) in [admin, import] {
        let begun = sessions.put(token, &caller, SESSION).await;
        begun.map_err(|_| {
            Error::Failed(format!("the session of {} cannot be stored; is DynamoDB reachable?", caller.principal))
        })?;
    }
    Ok(())
}
