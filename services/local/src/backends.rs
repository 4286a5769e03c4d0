//! What the services stand on: embedded, or whatever a variable names.

#[cfg(feature = "kafka")]
use backends::Kafka;
use backends::{DynamoDb, Postgres, Sqs};
use schemas::names::ORDER_EVENTS_QUEUE;
use service_kit::Error;

use crate::args::Args;
use crate::checklist::Checklist;
use crate::folder::Folder;

/// The ports, unless free ones are wanted.
const POSTGRES_PORT: u16 = 5433;
const DYNAMODB_PORT: u16 = 8000;
const SQS_PORT: u16 = 9324;
#[cfg(feature = "kafka")]
const KAFKA_PORT: u16 = 9092;
/// The name of the embedded database.
const DATABASE: &str = "footfall";

/// The backends; those of our own stop with [`stop`](Backends::stop).
#[derive(Debug)]
pub(crate) struct Backends {
    postgres: Option<Postgres>,
    dynamodb: Option<DynamoDb>,
    /// With the URL of the queue of order events.
    sqs: Option<(Sqs, String)>,
    #[cfg(feature = "kafka")]
    kafka: Option<Kafka>,
    /// Where Kafka is.
    pub(crate) kafka_servers: String,
    /// Where DynamoDB is.
    pub(crate) dynamodb_url: String,
}

impl Backends {
    pub(crate) async fn start(args: &Args, folder: &Folder, checklist: &mut Checklist) -> Result<Self, Error> {
        let port = |port: u16| if args.port == 0 { 0 } else { port };
        let postgres = match &args.db_host {
            Some(host) => {
                checklist.given("PostgreSQL", host, "DB_HOST");
                None
            }
            None => {
                let wanted = Some(port(POSTGRES_PORT)).filter(|port| *port != 0);
                let postgres = Postgres::start(&folder.join("postgres"), wanted).await.map_err(failed)?;
                postgres.create_database(DATABASE).await.map_err(failed)?;
                checklist.done("PostgreSQL", &format!("{}:{}", postgres.host(), postgres.port()));
                Some(postgres)
            }
        };
        let dynamodb = match &args.dynamodb_endpoint_url {
            Some(url) => {
                checklist.given("DynamoDB", url, "AWS_ENDPOINT_URL_DYNAMODB");
                None
            }
            None => {
                let file = folder.join("dynamodb.sqlite");
                let dynamodb = DynamoDb::start(Some(&file), port(DYNAMODB_PORT)).await.map_err(failed)?;
                checklist.done("DynamoDB", &dynamodb.endpoint());
                Some(dynamodb)
            }
        };
        let dynamodb_url = match (&dynamodb, &args.dynamodb_endpoint_url) {
            (Some(dynamodb), _) => dynamodb.endpoint(),
            (None, url) => url.clone().unwrap_or_default(),
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
        #[cfg(feature = "kafka")]
        let kafka = match &args.kafka_bootstrap_servers {
            Some(_) => None,
            None => {
                let kafka = Kafka::start(&folder.join("kafka"), port(KAFKA_PORT)).await.map_err(failed)?;
                checklist.done("Kafka", &kafka.address().to_string());
                Some(kafka)
            }
        };
        #[cfg(feature = "kafka")]
        let embedded = kafka.as_ref().map(|kafka| kafka.address().to_string());
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
            dynamodb,
            sqs,
            #[cfg(feature = "kafka")]
            kafka,
            kafka_servers,
            dynamodb_url,
        })
    }

    /// The variables of the database, where it is our own: else they are in the environment already.
    pub(crate) fn database(&self) -> Vec<(&'static str, String)> {
        let Some(postgres) = &self.postgres else { return Vec::new() };
        vec![
            ("DB_HOST", postgres.host().to_owned()),
            ("DB_PORT", postgres.port().to_string()),
            ("DB_NAME", DATABASE.to_owned()),
            ("DB_USER", postgres.user().to_owned()),
            ("DB_PASSWORD", postgres.password().to_owned()),
        ]
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

    /// Stops those of our own, each after the other, and tells the first failure.
    pub(crate) async fn stop(self) -> Result<(), Error> {
        let mut result = Ok(());
        #[cfg(feature = "kafka")]
        if let Some(kafka) = self.kafka {
            result = result.and(kafka.stop().await);
        }
        if let Some((sqs, _)) = self.sqs {
            result = result.and(sqs.stop().await);
        }
        if let Some(dynamodb) = self.dynamodb {
            result = result.and(dynamodb.stop().await);
        }
        if let Some(postgres) = self.postgres {
            result = result.and(postgres.stop().await);
        }
        result.map_err(failed)
    }
}

fn failed(error: backends::Error) -> Error {
    match error {
        backends::Error::PortInUse { port, backend } => Error::Failed(format!(
            "port {port} for {backend} is in use; end the program that listens there, or take free ports with --port 0"
        )),
        error => Error::Failed(error.to_string()),
    }
}
