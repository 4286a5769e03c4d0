//! What each service is told: ours goes before variables, which go before defaults.

use clap::Parser;
use service_kit::Error;
use service_kit::session::DynamoDbArgs;

use crate::backends::Backends;
use crate::secrets::Secrets;

/// What services are told from.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a> {
    pub(crate) secrets: &'a Secrets,
    pub(crate) backends: &'a Backends,
}

/// Where the services are that others call.
#[derive(Debug)]
pub(crate) struct Urls {
    pub(crate) catalog: String,
    pub(crate) customers: String,
    pub(crate) orders: String,
    pub(crate) activity: String,
}

impl Given<'_> {
    pub(crate) fn catalog(self) -> Result<product_catalog::Args, Error> {
        let own = [("--internal-token-secret", self.secrets.catalog.as_str())];
        parse(product_catalog::NAME, &own, &[self.database(), self.idempotency()])
    }

    pub(crate) fn orders(self, catalog: &str) -> Result<order_service::Args, Error> {
        let own = [
            ("--internal-token-secret", self.secrets.orders.as_str()),
            ("--product-service-url", catalog),
            ("--product-service-secret", &self.secrets.catalog),
            ("--kafka-bootstrap-servers", &self.backends.kafka_servers),
        ];
        parse(order_service::NAME, &own, &[self.database(), self.idempotency(), self.queue()])
    }

    pub(crate) fn customers(self, orders: &str) -> Result<customer_service::Args, Error> {
        let own = [
            ("--internal-token-secret", self.secrets.customers.as_str()),
            ("--order-service-url", orders),
            ("--order-service-secret", &self.secrets.orders),
            ("--dynamodb-endpoint-url", &self.backends.dynamodb_url),
        ];
        parse(customer_service::NAME, &own, &[self.database(), self.idempotency()])
    }

    pub(crate) fn activity(self) -> Result<activity_service::Args, Error> {
        let own = [
            ("--internal-token-secret", self.secrets.activity.as_str()),
            ("--kafka-bootstrap-servers", &self.backends.kafka_servers),
        ];
        parse(activity_service::NAME, &own, &[])
    }

    pub(crate) fn gateway(self, urls: &Urls) -> Result<api_gateway::Args, Error> {
        let own = [
            ("--product-service-url", urls.catalog.as_str()),
            ("--product-service-secret", &self.secrets.catalog),
            ("--customer-service-url", &urls.customers),
            ("--customer-service-secret", &self.secrets.customers),
            ("--order-service-url", &urls.orders),
            ("--order-service-secret", &self.secrets.orders),
            ("--activity-service-url", &urls.activity),
            ("--activity-service-secret", &self.secrets.activity),
            ("--events-write-keys", &self.secrets.write_key),
            ("--dynamodb-endpoint-url", &self.backends.dynamodb_url),
            ("--kafka-bootstrap-servers", &self.backends.kafka_servers),
        ];
        parse(api_gateway::NAME, &own, &[])
    }

    /// The database, where it is our own. A flag has the name of its variable.
    fn database(self) -> Vec<(String, String)> {
        let flag = |variable: &str| format!("--{}", variable.to_ascii_lowercase().replace('_', "-"));
        self.backends.database().into_iter().map(|(variable, value)| (flag(variable), value)).collect()
    }

    fn idempotency(self) -> Vec<(String, String)> {
        vec![("--idempotency-secret".to_owned(), self.secrets.idempotency.clone())]
    }

    /// The queue of order events, where it is our own.
    fn queue(self) -> Vec<(String, String)> {
        let Some((endpoint, url)) = self.backends.queue() else { return Vec::new() };
        vec![("--sqs-endpoint-url".to_owned(), endpoint), ("--order-events-queue-url".to_owned(), url)]
    }
}

fn parse<A: Parser>(name: &str, own: &[(&str, &str)], more: &[Vec<(String, String)>]) -> Result<A, Error> {
    // Addresses are ours: services of one process cannot share LISTEN_ADDR.
    let listen = [("--listen-addr", "127.0.0.1:0")];
    let own = listen.iter().chain(own).map(|(flag, value)| format!("{flag}={value}"));
    let more = more.iter().flatten().map(|(flag, value)| format!("{flag}={value}"));
    let flags = std::iter::once(name.to_owned()).chain(own).chain(more);
    A::try_parse_from(flags).map_err(|error| Error::Usage(error.to_string()))
}

/// The settings of a client of DynamoDB, as services have them.
pub(crate) fn dynamodb(backends: &Backends) -> Result<DynamoDbArgs, Error> {
    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        dynamodb: DynamoDbArgs,
    }
    let only = Only::try_parse_from(["local", "--dynamodb-endpoint-url", &backends.dynamodb_url]);
    only.map(|only| only.dynamodb).map_err(|error| Error::Usage(error.to_string()))
}
