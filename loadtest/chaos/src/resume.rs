//! The resume records of a group: what the job says about itself beside the committed offsets.

use std::time::Duration;

use kit::Trouble;
use kit::broker::Broker;
use kit::totals::Totals;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

const ANSWER: Duration = Duration::from_secs(10);

/// The part of a partition's resume record that the suite looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resume {
    /// How far the partition had been read.
    pub(crate) position: i64,
    /// How many partitions the topic had.
    pub(crate) partitions: u32,
    /// What has become of the records below `position`.
    pub(crate) totals: Totals,
}

/// Reads `v=1;...;pos=17;parts=4;...;n=17/15/1/1/0`.
fn parse(text: &str) -> Result<Resume, Trouble> {
    let field = |name: &str| {
        let mut fields = text.split(';').filter_map(|field| field.split_once('='));
        let value = fields.find(|(key, _)| *key == name).map(|(_, value)| value);
        value.ok_or_else(|| format!("the resume record {text:?} has no field {name}"))
    };
    let numbers: Vec<u64> = field("n")?.split('/').map(str::parse).collect::<Result<_, _>>()?;
    let [received, counted, late, rejected, filtered] = numbers[..] else {
        return Err(format!("the resume record {text:?} does not have five totals in n").into());
    };
    let totals = Totals { received, counted, late, rejected, filtered };
    Ok(Resume { position: field("pos")?.parse()?, partitions: field("parts")?.parse()?, totals })
}

/// Asks the broker for the records of a group.
pub(crate) struct ResumeRecords {
    consumer: BaseConsumer,
    topic: String,
}

impl ResumeRecords {
    /// The records of `group` for `topic`.
    pub(crate) fn new(broker: &Broker, group: &str, topic: &str) -> Result<Self, Trouble> {
        let consumer = broker
            .client()
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            // Offsets of a transaction that is being committed are waited for.
            .set("isolation.level", "read_committed")
            .create()?;
        Ok(ResumeRecords { consumer, topic: topic.to_owned() })
    }

    /// The record of each partition; `None` where none was committed.
    pub(crate) fn read(&self, partitions: u32) -> Result<Vec<Option<Resume>>, Trouble> {
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition(&self.topic, partition.cast_signed());
        }
        let committed = self.consumer.committed_offsets(list, ANSWER)?;
        let record = |partition: u32| {
            let element = committed.find_partition(&self.topic, partition.cast_signed());
            let text = element.map(|element| element.metadata().to_owned()).filter(|text| !text.is_empty());
            text.map(|text| parse(&text)).transpose()
        };
        (0..partitions).map(record).collect()
    }

    /// The record of each partition, once there is one of each.
    pub(crate) fn read_all(&self, partitions: u32) -> Result<Option<Vec<Resume>>, Trouble> {
        Ok(self.read(partitions)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = "v=1;w=2024-01-01T12:03:00Z;wm=x;pos=17;parts=4;joins=;epoch=7;rev=0;own=h:1;n=17/13/2/1/1";

    #[test]
    fn a_record_says_how_far_the_partition_was_read_and_what_became_of_it() {
        let totals = Totals { received: 17, counted: 13, late: 2, rejected: 1, filtered: 1 };
        assert_eq!(parse(RECORD).unwrap(), Resume { position: 17, partitions: 4, totals });
        assert!(totals.is_balanced());
        let two: Totals = [totals, totals].into_iter().sum();
        assert_eq!((two.received, two.filtered), (34, 2));
        assert!(!Totals { late: 3, ..totals }.is_balanced());
    }

    #[test]
    fn a_record_without_position_or_with_four_totals_is_refused() {
        for (text, named) in [("v=1;parts=4;n=0/0/0/0/0", "pos"), ("pos=1;parts=4;n=0/0/0/0", "five totals")] {
            assert!(parse(text).unwrap_err().to_string().contains(named), "{text}");
        }
    }
}
