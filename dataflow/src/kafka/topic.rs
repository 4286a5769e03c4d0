//! Looking topics up, and creating those that are missing where that is asked for.

use std::time::{Duration, Instant};

use kafka_client::{Context, KafkaArgs, SaslMechanism, client_error, create_command};
pub use kafka_client::{DEFAULT_PARTITIONS, Inspector, TIME_LIMIT};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;

use super::NAME;
use crate::error::Error;

/// A client that asks brokers about topics; it connects when asked the first one.
///
/// # Errors
/// [`Error::Usage`] where the flags are wrong.
pub fn inspect(args: &KafkaArgs) -> Result<Inspector, Error> {
    Ok(Inspector::connect(args, NAME)?)
}

/// The number of partitions of `topic`. Never creates it.
///
/// # Errors
/// [`Error::Usage`] where the topic does not exist or the flags are wrong, [`Error::Unavailable`] where no broker
/// answers within [`TIME_LIMIT`] or the broker refuses.
pub fn describe(args: &KafkaArgs, topic: &str) -> Result<u32, Error> {
    Ok(inspect(args)?.partitions(topic, TIME_LIMIT)?)
}

/// Creates those of `names` that do not exist, with so many partitions and the broker's default replication, and waits
/// until they can be used. Topics that exist are left as they are. For local use: a production topic wants settings.
///
/// Blocks; not to be called from asynchronous code.
///
/// # Errors
/// [`Error::Usage`] where the flags are wrong, [`Error::Unavailable`] where the broker is not reached or refuses.
pub fn create_missing(args: &KafkaArgs, names: &[&str], partitions: u32) -> Result<(), Error> {
    let mut inspector = inspect(args)?;
    let mut missing = Vec::new();
    for name in names {
        if inspector.find(name, TIME_LIMIT)?.is_none() && !missing.contains(name) {
            missing.push(*name);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    if args.sasl_mechanism == Some(SaslMechanism::OAuthBearer) {
        // rdkafka's admin client does not serve the request for a token.
        return Err(Error::Usage(format!(
            "--create-topics does not work with OAUTHBEARER; create the topic yourself: {}",
            create_command(inspector.servers(), missing[0], partitions)
        )));
    }
    create(args, &missing, partitions, inspector.servers())?;
    for name in missing {
        let deadline = Instant::now() + TIME_LIMIT;
        while inspector.find(name, TIME_LIMIT)?.is_none() {
            if Instant::now() >= deadline {
                return Err(Error::Unavailable(format!(
                    "topic {name} was created but does not appear; look at the broker's log"
                )));
            }
            inspector.wait(Duration::from_millis(100));
        }
    }
    Ok(())
}

fn create(args: &KafkaArgs, names: &[&str], partitions: u32, servers: &str) -> Result<(), Error> {
    let count = i32::try_from(partitions)
        .map_err(|_| Error::Usage(format!("a topic cannot have {partitions} partitions; choose fewer")))?;
    let config = args.connection_config(NAME)?;
    let admin: AdminClient<Context> =
        config.create_with_context(args.context()).map_err(|error| client_error(&error))?;
    // -1: the replication that the broker has as its default.
    let topics: Vec<_> = names.iter().map(|name| NewTopic::new(name, count, TopicReplication::Fixed(-1))).collect();
    let options = AdminOptions::new().request_timeout(Some(TIME_LIMIT)).operation_timeout(Some(TIME_LIMIT));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| Error::Io(format!("cannot start a runtime: {error}")))?;
    let results = runtime
        .block_on(admin.create_topics(&topics, &options))
        .map_err(|error| Error::Unavailable(format!("cannot create topics at {servers}: {error}; check the broker")))?;
    for result in results {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => {
                return Err(Error::Unavailable(format!(
                    "cannot create topic {name}: {code}; create it yourself: {}",
                    create_command(servers, &name, partitions)
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use rdkafka::mocking::MockCluster;

    use super::*;

    #[test]
    fn a_topic_is_described_without_creating_another() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("events", 7, 1).unwrap();
        let args = KafkaArgs { bootstrap_servers: Some(cluster.bootstrap_servers()), ..KafkaArgs::default() };
        assert_eq!(describe(&args, "events"), Ok(7));
        for _ in 0..2 {
            assert!(matches!(
                describe(&args, "evnets"),
                Err(Error::Usage(text)) if text.contains("--topic evnets") && text.ends_with("let --create-topics do it")
            ));
        }
        assert_eq!(create_missing(&args, &["events"], 4), Ok(()));
    }
}
