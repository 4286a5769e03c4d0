//! Looking topics up.

use std::ops::Range;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use schemas::EventTime;

use crate::{ClientError, Context, Error, KafkaArgs, client_error};

/// How long a broker may take to answer a question about a topic.
pub const TIME_LIMIT: Duration = Duration::from_secs(10);
/// Partitions of a topic that somebody creates by our advice.
pub const DEFAULT_PARTITIONS: u32 = 4;
/// Kafka's own limit on the length of a topic's name.
const MAX_NAME_BYTES: usize = 249;

/// Asks brokers about topics, and blocks while they answer. It has a client of its own, without partitions, so that
/// serving that client's callbacks never takes a record from anybody.
pub struct Inspector {
    client: BaseConsumer<Context>,
    servers: String,
}

impl std::fmt::Debug for Inspector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inspector").field("servers", &self.servers).finish_non_exhaustive()
    }
}

impl Inspector {
    /// A client of the program `name` for questions; it connects when asked the first one.
    ///
    /// # Errors
    /// [`Error::Setting`] where the flags are wrong.
    pub fn connect(args: &KafkaArgs, name: &str) -> Result<Self, Error> {
        let mut config = args.consumer_config(name, 1 << 20)?;
        // A consumer's questions never create a topic, a producer's may. It needs no group, thus no right to one.
        config.remove("group.id");
        let client = config.create_with_context(args.context()).map_err(|error| client_error(&error))?;
        Ok(Inspector { client, servers: args.servers()?.to_owned() })
    }

    /// The brokers to begin with, for messages.
    #[must_use]
    pub fn servers(&self) -> &str {
        &self.servers
    }

    /// The number of partitions of `topic`, asked from a broker again with each call.
    ///
    /// # Errors
    /// [`Error::NoSuchTopic`] where the topic does not exist, [`Error::Setting`] where it has no legal name,
    /// [`Error::Unavailable`] where no broker answers within `limit` or the broker refuses.
    pub fn partitions(&mut self, topic: &str, limit: Duration) -> Result<u32, Error> {
        self.find(topic, limit)?.ok_or_else(|| {
            Error::NoSuchTopic(format!(
                "topic {topic} does not exist; create it with `{}`",
                create_command(&self.servers, topic, DEFAULT_PARTITIONS)
            ))
        })
    }

    /// The first and the next offset of each partition, as a reader of committed records sees them.
    ///
    /// # Errors
    /// As [`partitions`](Self::partitions).
    pub fn extents(&mut self, topic: &str) -> Result<Vec<Range<u64>>, Error> {
        let partitions = self.partitions(topic, TIME_LIMIT)?;
        (0..partitions).map(|partition| self.extent(topic, partition)).collect()
    }

    /// The first and the next offset of a partition.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where no broker answers within [`TIME_LIMIT`].
    pub fn extent(&self, topic: &str, partition: u32) -> Result<Range<u64>, Error> {
        let id = i32::try_from(partition).unwrap_or(i32::MAX);
        let (low, high) =
            self.client.fetch_watermarks(topic, id, TIME_LIMIT).map_err(|error| self.unanswered(topic, &error))?;
        let offset = |offset: i64| u64::try_from(offset).unwrap_or(0);
        Ok(offset(low)..offset(high))
    }

    /// For each partition the first offset whose record has this time or a later one, by the broker; the end where there
    /// is none.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where no broker answers within [`TIME_LIMIT`].
    pub fn offsets_at(&self, topic: &str, extents: &[Range<u64>], time: EventTime) -> Result<Vec<u64>, Error> {
        let mut list = TopicPartitionList::new();
        for partition in (0..).take(extents.len()) {
            list.add_partition_offset(topic, partition, Offset::Offset(time.millis()))
                .map_err(|error| self.unanswered(topic, &error))?;
        }
        let found = self.client.offsets_for_times(list, TIME_LIMIT).map_err(|error| self.unanswered(topic, &error))?;
        let mut offsets: Vec<u64> = extents.iter().map(|extent| extent.end).collect();
        for element in found.elements() {
            element.error().map_err(|error| self.unanswered(topic, &error))?;
            let place = usize::try_from(element.partition()).ok().and_then(|partition| offsets.get_mut(partition));
            if let (Some(place), Offset::Offset(offset)) = (place, element.offset()) {
                *place = u64::try_from(offset).unwrap_or(0);
            }
        }
        Ok(offsets)
    }

    fn unanswered(&self, topic: &str, error: &KafkaError) -> Error {
        Error::Unavailable(format!(
            "Kafka at {} does not tell the offsets of topic {topic}: {error}; look at the brokers and the access rights",
            self.servers
        ))
    }

    /// The number of partitions, or `None` where there is no such topic.
    ///
    /// # Errors
    /// As [`partitions`](Self::partitions), but for the first.
    pub fn find(&mut self, topic: &str, limit: Duration) -> Result<Option<u32>, Error> {
        check_name(topic)?;
        let deadline = Instant::now() + limit;
        let mut last_reason = None;
        // Questions are short at first: only between them the client's errors and its wish for a token are served.
        let mut patience = Duration::from_millis(250);
        loop {
            self.wait(Duration::ZERO);
            let left = deadline.saturating_duration_since(Instant::now());
            match self.client.fetch_metadata(Some(topic), patience.min(left).max(Duration::from_millis(1))) {
                Ok(metadata) => {
                    let found = metadata.topics().iter().find(|found| found.name() == topic);
                    match found.and_then(|found| found.error().map(RDKafkaErrorCode::from)) {
                        None => {
                            if let Some(found) = found {
                                return Ok(u32::try_from(found.partitions().len()).ok());
                            }
                        }
                        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                            return Ok(None);
                        }
                        Some(code @ RDKafkaErrorCode::TopicAuthorizationFailed) => {
                            return Err(Error::Unavailable(format!(
                                "the broker at {} refuses topic {topic}: {code}; grant DESCRIBE, READ and WRITE on it",
                                self.servers
                            )));
                        }
                        // A topic that is being created has no leader for a moment.
                        Some(code) => last_reason = Some(code.to_string()),
                    }
                }
                Err(error) => {
                    let fallback =
                        error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string());
                    last_reason.get_or_insert(fallback);
                }
            }
            self.wait(Duration::from_millis(20));
            if let Some(seen) = self.client.context().take_error() {
                if seen.is_refusal() {
                    return Err(self.refused(&seen));
                }
                last_reason = Some(seen.reason);
            }
            if Instant::now() >= deadline {
                let reason = last_reason.unwrap_or_else(|| "no answer".to_owned());
                return Err(self.unreachable(limit, &reason));
            }
            patience *= 2;
        }
    }

    /// Serves the client's callbacks for a while. There are no records to lose: nothing is assigned.
    pub fn wait(&self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if self.client.poll(left).is_none() && left.is_zero() {
                return;
            }
        }
    }

    fn refused(&self, seen: &ClientError) -> Error {
        let (failed, remedy) = match seen.code {
            RDKafkaErrorCode::SSL => ("encrypt the connection", "check KAFKA_SECURITY_PROTOCOL and KAFKA_SSL_CA_FILE"),
            _ if seen.reason.contains("OAUTHBEARER") => {
                ("log in", "check the AWS credentials and what their identity may do")
            }
            _ => ("log in", "check KAFKA_SASL_MECHANISM, the user name and the password"),
        };
        Error::Unavailable(format!("cannot {failed} to Kafka at {}: {}; {remedy}", self.servers, seen.reason))
    }

    fn unreachable(&self, limit: Duration, reason: &str) -> Error {
        // A broker that encrypts and a client that does not (or the reverse) see each other as lost connections, and so
        // does a client that should log in and does not. Where no connection came about that is not the question.
        let also = if reason.contains("in state CONNECT") { "" } else { " and KAFKA_SECURITY_PROTOCOL" };
        let is_refused_plain = reason.contains("in state APIVERSION_QUERY") && !reason.contains("ssl://");
        let hint = if is_refused_plain { " (perhaps it wants encryption)" } else { "" };
        Error::Unavailable(format!(
            "cannot reach Kafka at {} within {} s: {reason}{hint}; check KAFKA_BOOTSTRAP_SERVERS{also}",
            self.servers,
            limit.as_secs()
        ))
    }
}

/// What [Kafka allows](https://kafka.apache.org/documentation/#operations) as a topic's name; the client panics at some others.
///
/// # Errors
/// [`Error::Setting`] for anything else.
pub fn check_name(topic: &str) -> Result<(), Error> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if topic.is_empty() || topic.len() > MAX_NAME_BYTES || !topic.bytes().all(legal) || matches!(topic, "." | "..") {
        return Err(Error::Setting(format!(
            "{topic:?} is no name of a topic; use 1 to {MAX_NAME_BYTES} of the characters a-z, A-Z, 0-9, '.', '_' and '-'"
        )));
    }
    Ok(())
}

/// How an operator creates a topic.
#[must_use]
pub fn create_command(servers: &str, topic: &str, partitions: u32) -> String {
    format!("kafka-topics.sh --bootstrap-server {servers} --create --topic {topic} --partitions {partitions}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::io::Read as _;
    use std::net::TcpListener;

    use rdkafka::mocking::MockCluster;

    use super::*;

    fn at(servers: String) -> KafkaArgs {
        KafkaArgs { bootstrap_servers: Some(servers), ..KafkaArgs::default() }
    }

    #[test]
    fn a_topic_is_looked_up_without_creating_another() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("events", 7, 1).unwrap();
        let mut inspector = Inspector::connect(&at(cluster.bootstrap_servers()), "test").unwrap();
        assert_eq!(inspector.partitions("events", TIME_LIMIT), Ok(7));
        for _ in 0..2 {
            let Err(Error::NoSuchTopic(text)) = inspector.partitions("evnets", TIME_LIMIT) else { panic!("found") };
            assert!(text.contains("--topic evnets"), "{text}");
            assert_eq!(inspector.find("evnets", TIME_LIMIT), Ok(None));
        }
    }

    #[test]
    fn a_closed_port_is_named_with_its_cause() {
        // Free at this moment, and nobody listens.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut inspector = Inspector::connect(&at(format!("127.0.0.1:{port}")), "test").unwrap();
        let started = Instant::now();
        let error = inspector.partitions("events", Duration::from_secs(2)).unwrap_err();
        let Error::Unavailable(text) = &error else { panic!("{error:?}") };
        assert!(text.starts_with(&format!("cannot reach Kafka at 127.0.0.1:{port} within 2 s: ")), "{text}");
        assert!(text.contains("refused") && text.ends_with("check KAFKA_BOOTSTRAP_SERVERS"), "{text}");
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_server_that_hangs_up_on_the_first_question_may_want_encryption() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut inspector = Inspector::connect(&at(listener.local_addr().unwrap().to_string()), "test").unwrap();
        // Lives as long as the test process.
        std::thread::spawn(move || {
            for mut connection in listener.incoming().flatten() {
                let _ = connection.read(&mut [0; 1024]);
            }
        });
        let error = inspector.partitions("events", Duration::from_secs(2)).unwrap_err();
        let Error::Unavailable(text) = &error else { panic!("{error:?}") };
        let remedy = " (perhaps it wants encryption); check KAFKA_BOOTSTRAP_SERVERS and KAFKA_SECURITY_PROTOCOL";
        assert!(text.ends_with(remedy), "{text}");
    }

    #[test]
    fn a_server_that_never_answers_is_given_up_in_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut inspector = Inspector::connect(&at(listener.local_addr().unwrap().to_string()), "test").unwrap();
        let started = Instant::now();
        assert!(matches!(inspector.partitions("events", Duration::from_secs(2)), Err(Error::Unavailable(_))));
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn names_that_the_client_cannot_bear_are_refused_before_it_sees_them() {
        let mut inspector = Inspector::connect(&at("127.0.0.1:1".to_owned()), "test").unwrap();
        for name in ["", ".", "..", "a b", "a\0b", "ü", &"x".repeat(250)] {
            assert!(matches!(inspector.partitions(name, TIME_LIMIT), Err(Error::Setting(_))), "{name:?}");
        }
    }
}
