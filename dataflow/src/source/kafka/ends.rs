//! Where partitions end, as the client's statistics tell it.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Mutex, PoisonError};

use kafka_client::Context;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::statistics::Statistics;

/// The context of a consumer of one topic: the common one, and where the partitions end. Statistics must be on.
pub(super) struct EndsContext {
    common: Context,
    /// What the client's statistics last said of each partition.
    ends: Mutex<HashMap<i32, Ends>>,
}

/// Where a partition ends.
#[derive(Clone, Copy)]
struct Ends {
    /// On the broker.
    end: u64,
    /// Where the client last met the end, having fetched everything before it.
    fetched: Option<u64>,
}

impl EndsContext {
    /// Around the common context.
    pub(super) fn new(common: Context) -> Self {
        EndsContext { common, ends: Mutex::default() }
    }

    /// The end of a partition of the consumer's topic, once it is known.
    pub(super) fn end_offset(&self, partition: i32) -> Option<u64> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).get(&partition).map(|ends| ends.end)
    }

    /// Where the client last met the end of a partition, having put all that lies before into its queue.
    pub(super) fn fetched_to_end(&self, partition: i32) -> Option<u64> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).get(&partition)?.fetched
    }
}

impl ClientContext for EndsContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = Context::ENABLE_REFRESH_OAUTH_TOKEN;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.common.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.common.error(error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        for partition in statistics.topics.values().flat_map(|topic| topic.partitions.values()) {
            // Readers of committed records see up to the last stable offset; unknown ends are negative.
            let end = if partition.ls_offset >= 0 { partition.ls_offset } else { partition.hi_offset };
            if let Ok(end) = u64::try_from(end) {
                let fetched = u64::try_from(partition.eof_offset).ok();
                ends.insert(partition.partition, Ends { end, fetched });
            }
        }
    }

    fn generate_oauth_token(&self, configuration: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.common.generate_oauth_token(configuration)
    }
}

impl ConsumerContext for EndsContext {}
