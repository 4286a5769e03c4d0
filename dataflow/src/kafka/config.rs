//! The configuration of a producer that writes in transactions.

use std::time::Duration;

use kafka_client::KafkaArgs;
use rdkafka::ClientConfig;

use super::NAME;
use crate::error::Error;

/// How long a transaction may be open before the broker aborts it, unless told.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);

/// The configuration of a producer that writes in transactions under `transactional_id`, as
/// [`KafkaArgs::producer_config`] otherwise.
///
/// # Errors
/// [`Error::Usage`] where flags are missing, contradict each other or are refused by the client.
pub(super) fn transactional_config(args: &KafkaArgs, transactional_id: &str) -> Result<ClientConfig, Error> {
    let mut config = args.producer_config(NAME)?;
    let millis = |config: &ClientConfig, name: &str| config.get(name).and_then(|text| text.parse::<u64>().ok());
    let limit = u64::try_from(TRANSACTION_TIMEOUT.as_millis()).unwrap_or(u64::MAX);
    let timeout = millis(&config, "transaction.timeout.ms").unwrap_or(limit);
    // A record is given up while there is still time to abort the transaction, before the broker does and fences us.
    let delivery = timeout * 3 / 4;
    let given = millis(&config, "message.timeout.ms").or_else(|| millis(&config, "delivery.timeout.ms"));
    // 0 stands for no limit, which a transaction does not know.
    let delivery = given.filter(|given| *given > 0).map_or(delivery, |given| given.min(delivery)).max(1);
    config.remove("message.timeout.ms");
    config
        .set("transactional.id", transactional_id)
        .set("transaction.timeout.ms", timeout.to_string())
        .set("delivery.timeout.ms", delivery.to_string());
    // Every reader waits for us: a broker that is back is to be noticed at once (the default is ten seconds), and one
    // that is busy with our last transaction is to be asked again soon (a tenth of a second).
    for (name, millis) in [("reconnect.backoff.max.ms", "1000"), ("retry.backoff.ms", "20")] {
        if config.get(name).is_none() {
            config.set(name, millis);
        }
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use kafka_client::Property;

    use super::*;

    fn plain() -> KafkaArgs {
        KafkaArgs { bootstrap_servers: Some("broker:9092".to_owned()), ..KafkaArgs::default() }
    }

    fn with_property(name: &str, value: &str) -> KafkaArgs {
        KafkaArgs { properties: vec![Property { name: name.to_owned(), value: value.to_owned() }], ..plain() }
    }

    #[test]
    fn records_of_a_transaction_run_out_of_time_before_it_does() {
        let times = |args: &KafkaArgs| {
            let config = transactional_config(args, "local-footfall").unwrap();
            assert_eq!(config.get("transactional.id"), Some("local-footfall"));
            assert_eq!(config.get("message.timeout.ms"), None);
            ["transaction.timeout.ms", "delivery.timeout.ms"]
                .map(|name| config.get(name).unwrap().parse::<u64>().unwrap())
        };
        assert_eq!(times(&plain()), [60_000, 45_000]);
        assert_eq!(times(&with_property("transaction.timeout.ms", "2000")), [2_000, 1_500]);
        for name in ["message.timeout.ms", "delivery.timeout.ms"] {
            for (given, taken) in [("0", 45_000), ("500", 500), ("300000", 45_000)] {
                assert_eq!(times(&with_property(name, given)), [60_000, taken], "{name}={given}");
            }
        }
    }
}
