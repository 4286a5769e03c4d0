//! What the services stand on: embedded, or whatever a variable names.

#[cfg(feature = "kafka")]
use backends::Kafka;
use backends::s3::Created;
use backends::{DynamoDb, Postgres, S3, Sqs};
use schemas::names::{ORDER_EVENTS_QUEUE, PRODUCT_IMPORTS_BUCKET};
use service_kit::Error;
use tokio::sync::mpsc::UnboundedSender;

use crate::args::Args;
use crate::checklist::Checklist;
use crate::faults::{Dependency, Restartable, Stop};
use crate::folder::Folder;

/// The ports, unless free ones are wanted.
const POSTGRES_PORT: u16 = 5433;
const DYNAMODB_PORT: u16 = 8000;
const SQS_PORT: u16 = 9324;
const S3_PORT: u16 = 9000;
#[cfg(feature = "kafka")]
const KAFKA_PORT: u16 = 9092;
/// The name of the embedded database.
const DATABASE: &str = "footfall";

/// The backends; those of our own stop with [`stop`](Backends::stop).
#[derive(Debug)]
pub(crate) struct Backends {
    postgres: Option<Restartable<Postgres>>,
    /// The variables of its database, where it is our own.
    database: Vec<(&'static str, String)>,
    dynamodb: Option<Restartable<DynamoDb>>,
    /// With the URL of the queue of order events.
    sqs: Option<(Sqs, String)>,
    s3: Option<S3>,
    #[cfg(feature = "kafka")]
    kafka: Option<Restartable<Kafka>>,
    /// Where Kafka is.
    pub(crate) kafka_servers: String,
    /// Where DynamoDB is.
    pub(crate) dynamodb_url: String,
}

impl Backends {
    /// Starts them; of new objects in its own S3 it tells `created`.
    pub(crate) async fn start(
        args: &Args,
        folder: &Folder,
        created: UnboundedSender<Created>,
        checklist: &mut Checklist,
    ) -> Result<Self, Error> {
        let port = |port: u16| if args.port == 0 { 0 } else { port };
        let (postgres, database) = match &args.db_host {
            Some(host) => {
                checklist.given("PostgreSQL", host, "DB_HOST");
                (None, Vec::new())
            }
            None => {
                let wanted = Some(port(POSTGRES_PORT)).filter(|port| *port != 0);
                let place = folder.join("postgres");
                let postgres = Postgres::start(&place, wanted).await.map_err(failed)?;
                postgres.create_database(DATABASE).await.map_err(failed)?;
                checklist.done("PostgreSQL", &format!("{}:{}", postgres.host(), postgres.port()));
                let (variables, port) = (variables(&postgres), postgres.port());
                let start = move || {
                    let place = place.clone();
                    async move { Postgres::start(&place, Some(port)).await }
                };
                (Some(Restartable::new(postgres, start)), variables)
            }
        };
        let (dynamodb, dynamodb_url) = match &args.dynamodb_endpoint_url {
            Some(url) => {
                checklist.given("DynamoDB", url, "AWS_ENDPOINT_URL_DYNAMODB");
                (None, url.clone())
            }
            None => {
                let file = folder.join("dynamodb.sqlite");
                let dynamodb = DynamoDb::start(Some(&file), port(DYNAMODB_PORT)).await.map_err(failed)?;
                checklist.done("DynamoDB", &dynamodb.endpoint());
                let (port, url) = (dynamodb.address().port(), dynamodb.endpoint());
                let start = move || {
                    let file = file.clone();
                    async move { DynamoDb::start(Some(&file), port).await }
                };
                (Some(Restartable::new(dynamodb, start)), url)
            }
        };
        let sqs = match &args.order_events_queue_url {
            Some(url) => {
                checklist.given("SQS", url, "ORDER_EVENTS_QUEUE_URL");
                None
            }
            None => {
                let sqs = Sqs::start(port(SQS_PORT)).await.map_err(failed)?;
                let queue = sqs.create_queue(ORDER_EVENTS_QUEUE).await.map_err(failed)?;
                checklist.done("SQS", &sqs.endpoint());
                Some((sqs, queue))
            }
        };
        let s3 = match &args.s3_endpoint_url {
            Some(url) => {
                checklist.given("S3", url, "AWS_ENDPOINT_URL_S3");
                None
            }
            None => {
                let s3 = S3::start_and_tell(&folder.join("s3"), port(S3_PORT), created).await.map_err(failed)?;
                s3.create_bucket(PRODUCT_IMPORTS_BUCKET).await.map_err(failed)?;
                checklist.done("S3", &s3.endpoint());
                Some(s3)
            }
        };
        #[cfg(feature = "kafka")]
        let kafka = match &args.kafka_bootstrap_servers {
            Some(_) => None,
            None => {
                let place = folder.join("kafka");
                let kafka = Kafka::start(&place, port(KAFKA_PORT)).await.map_err(failed)?;
                checklist.done("Kafka", &kafka.address().to_string());
                let address = kafka.address();
                let start = move || {
                    let place = place.clone();
                    async move { Kafka::start(&place, address.port()).await }
                };
                Some((Restartable::new(kafka, start), address.to_string()))
            }
        };
        #[cfg(feature = "kafka")]
        let (kafka, embedded) = kafka.unzip();
        #[cfg(not(feature = "kafka"))]
        let embedded: Option<String> = None;
        let kafka_servers = match (embedded, &args.kafka_bootstrap_servers) {
            (Some(address), _) => address,
            (None, Some(servers)) => {
                checklist.given("Kafka", servers, "KAFKA_BOOTSTRAP_SERVERS");
                servers.clone()
            }
            (None, None) => {
                return Err(Error::Usage(
                    "this footfall was built without the embedded broker; set KAFKA_BOOTSTRAP_SERVERS to HOST:PORT of a Kafka"
                        .to_owned(),
                ));
            }
        };
        Ok(Backends {
            postgres,
            database,
            dynamodb,
            sqs,
            s3,
            #[cfg(feature = "kafka")]
            kafka,
            kafka_servers,
            dynamodb_url,
        })
    }

    /// The variables of the database, where it is our own: else they are in the environment already.
    pub(crate) fn database(&self) -> Vec<(&'static str, String)> {
        self.database.clone()
    }

    /// Where SQS and its queue of order events are, where they are our own: else that is in the environment already.
    pub(crate) fn queue(&self) -> Option<(String, String)> {
        self.sqs.as_ref().map(|(sqs, queue)| (sqs.endpoint(), queue.clone()))
    }

    /// Whether SQS is the emulator.
    pub(crate) const fn has_embedded_sqs(&self) -> bool {
        self.sqs.is_some()
    }

    /// Whether Kafka is the embedded broker.
    pub(crate) const fn has_embedded_kafka(&self) -> bool {
        #[cfg(feature = "kafka")]
        return self.kafka.is_some();
        #[cfg(not(feature = "kafka"))]
        return false;
    }

    /// Where S3 is, where it is our own.
    pub(crate) fn s3(&self) -> Option<String> {
        self.s3.as_ref().map(S3::endpoint)
    }

    /// Why it cannot be taken down; none: it can.
    pub(crate) fn not_ours(&self, dependency: Dependency) -> Option<String> {
        let (is_ours, what, variable) = match dependency {
            Dependency::Kafka => (self.has_embedded_kafka(), "Kafka", "KAFKA_BOOTSTRAP_SERVERS"),
            Dependency::Dynamodb => (self.dynamodb.is_some(), "DynamoDB", "AWS_ENDPOINT_URL_DYNAMODB"),
            Dependency::Postgresql => (self.postgres.is_some(), "PostgreSQL", "DB_HOST"),
            Dependency::ProductCatalog | Dependency::ApiGateway => return None,
        };
        (!is_ours).then(|| format!("{what} is not ours to stop (it was given by {variable}); stop it yourself"))
    }

    /// Stops one of our own for a while.
    pub(crate) async fn take_down(&self, dependency: Dependency) -> Result<(), Error> {
        let stopped = match dependency {
            #[cfg(feature = "kafka")]
            Dependency::Kafka => stop(self.kafka.as_ref()).await,
            Dependency::Dynamodb => stop(self.dynamodb.as_ref()).await,
            Dependency::Postgresql => stop(self.postgres.as_ref()).await,
            _ => Ok(()),
        };
        stopped.map_err(failed)
    }

    /// Starts it again where it was.
    pub(crate) async fn bring_up(&self, dependency: Dependency) -> Result<(), Error> {
        let started = match dependency {
            #[cfg(feature = "kafka")]
            Dependency::Kafka => start(self.kafka.as_ref()).await,
            Dependency::Dynamodb => start(self.dynamodb.as_ref()).await,
            Dependency::Postgresql => start(self.postgres.as_ref()).await,
            _ => Ok(()),
        };
        started.map_err(failed)
    }

    /// Stops those of our own, each after the other, and tells the first failure.
    pub(crate) async fn stop(self) -> Result<(), Error> {
        let mut result = Ok(());
        #[cfg(feature = "kafka")]
        {
            result = result.and(stop(self.kafka.as_ref()).await);
        }
        if let Some((sqs, _)) = self.sqs {
            result = result.and(sqs.stop().await);
        }
        if let Some(s3) = self.s3 {
            result = result.and(s3.stop().await);
        }
        result = result.and(stop(self.dynamodb.as_ref()).await);
        result = result.and(stop(self.postgres.as_ref()).await);
        result.map_err(failed)
    }
}

async fn stop<T: Stop>(backend: Option<&Restartable<T>>) -> Result<(), backends::Error> {
    match backend {
        Some(backend) => backend.stop().await,
        None => Ok(()),
    }
}

async fn start<T: Stop>(backend: Option<&Restartable<T>>) -> Result<(), backends::Error> {
    match backend {
        Some(backend) => backend.start().await,
        None => Ok(()),
    }
}

/// How services reach the database of a server.
fn variables(postgres: &Postgres) -> Vec<(&'static str, String)> {
    vec![
        ("DB_HOST", postgres.host().to_owned()),
        ("DB_PORT", postgres.port().to_string()),
        ("DB_NAME", DATABASE.to_owned()),
        ("DB_USER", postgres.user().to_owned()),
        ("DB_PASSWORD", postgres.password().to_owned()),
    ]
}

fn failed(error: backends::Error) -> Error {
    match error {
        backends::Error::PortInUse { port, backend } => Error::Failed(format!(
            "port {port} for {backend} is in use; end the program that listens there, or take free ports with --port 0"
        )),
        error => Error::Failed(error.to_string()),
    }
}
