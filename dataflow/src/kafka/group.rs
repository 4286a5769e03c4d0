//! A consumer group as a place to keep offsets in, each with a text: nobody joins it, nothing is read through it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use kafka_client::{ClientError, Context, KafkaArgs, TIME_LIMIT, client_error};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::groups::GroupMemberInfo;
use rdkafka::{Offset, TopicPartitionList};

use super::NAME;
use crate::error::Error;

/// How long one question may take; log lines and requests for a token are served in between.
const PATIENCE: Duration = Duration::from_secs(2);
/// What stands for a text that is not UTF-8, and so is not ours.
const UNREADABLE: &str = "\u{fffd}";

/// The length of a text that is not taken beside an offset; the broker's limit is 4096 bytes unless told otherwise.
const NEVER_TAKEN_BYTES: usize = 32_767;

/// Whether the broker says no because the group has members and we are none of them.
pub(super) const fn is_members_word(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::UnknownMemberId
            | RDKafkaErrorCode::IllegalGeneration
            | RDKafkaErrorCode::FencedInstanceId
            | RDKafkaErrorCode::StaleMemberEpoch
            | RDKafkaErrorCode::FencedMemberEpoch
    )
}

/// The offset of a partition as a group has it, or is to have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The partition of the input topic.
    pub partition: u32,
    /// Where to read on.
    pub offset: u64,
    /// The text beside it; brokers take up to 4096 bytes unless told (`offset.metadata.max.bytes`).
    pub metadata: String,
}

/// The offsets of one group for one topic. It has a client of its own that never joins the group.
pub struct Group {
    client: BaseConsumer<Context>,
    name: String,
    topic: String,
    servers: String,
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group").field("name", &self.name).field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Group {
    /// A client for the offsets that `group` has for `input_topic`; it connects by itself.
    ///
    /// # Errors
    /// [`Error::Usage`] where the flags are wrong.
    pub fn connect(args: &KafkaArgs, group: &str, input_topic: &str) -> Result<Self, Error> {
        if group.trim().is_empty() || group.contains('\0') {
            return Err(Error::Usage(format!("{group:?} is no name of a group; choose another --group")));
        }
        // Reads no record, so no memory is set aside for any.
        let mut config = args.consumer_config(NAME, 0)?;
        config.set("group.id", group);
        let client = config.create_with_context(args.context()).map_err(|error| client_error(&error))?;
        let servers = args.servers()?.to_owned();
        Ok(Group { client, name: group.to_owned(), topic: input_topic.to_owned(), servers })
    }

    /// What the group has committed for partitions 0 to `partitions`, in their order. Waits for a transaction of the
    /// group's that is about to end.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the broker does not answer or refuses.
    pub fn committed(&self, partitions: u32) -> Result<Vec<Option<CommittedOffset>>, Error> {
        let found = self.ask("tell the offsets of", |patience| {
            let mut list = TopicPartitionList::new();
            for partition in 0..partitions {
                list.add_partition(&self.topic, i32::try_from(partition).unwrap_or(i32::MAX));
            }
            let list = self.client.committed_offsets(list, patience)?;
            for element in list.elements() {
                element.error()?;
            }
            Ok(list)
        })?;
        let mut offsets = vec![None; usize::try_from(partitions).unwrap_or(0)];
        for element in found.elements() {
            let Offset::Offset(offset) = element.offset() else { continue };
            let (Ok(partition), Ok(offset)) = (u32::try_from(element.partition()), u64::try_from(offset)) else {
                continue;
            };
            // The client panics at a text that is not UTF-8. Apache Kafka mends such a text itself; others may not.
            let metadata = catch_unwind(AssertUnwindSafe(|| element.metadata().to_owned()));
            let metadata = metadata.unwrap_or_else(|_| UNREADABLE.to_owned());
            if let Some(place) = offsets.get_mut(usize::try_from(partition).unwrap_or(usize::MAX)) {
                *place = Some(CommittedOffset { partition, offset, metadata });
            }
        }
        Ok(offsets)
    }

    /// The members of the group, each as `CLIENT at HOST`. Whoever joins a group moves its offsets.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the broker does not answer or refuses.
    pub fn members(&self) -> Result<Vec<String>, Error> {
        let list = self.ask("tell the members of", |patience| {
            // The question goes to the brokers that are known, and a new client knows none.
            self.client.fetch_metadata(Some(&self.topic), patience)?;
            self.client.fetch_group_list(Some(&self.name), patience)
        })?;
        let Some(group) = list.groups().iter().find(|group| group.name() == self.name) else { return Ok(Vec::new()) };
        if group.state() == "Dead" && self.has_nameless_members()? {
            return Ok(vec!["of the protocol \"consumer\"".to_owned()]);
        }
        let name = |member: &GroupMemberInfo| format!("{} at {}", member.client_id(), member.client_host());
        Ok(group.members().iter().map(name).collect())
    }

    /// Whether the broker guards a group for its members that it lists and then calls dead. So it does with groups of the
    /// consumer protocol of KIP-848, of whose members this client cannot ask. But the broker judges who commits before it
    /// judges what, so an offset that it does not take, because its text is too long, finds out.
    fn has_nameless_members(&self) -> Result<bool, Error> {
        let probe = CommittedOffset { partition: 0, offset: 0, metadata: "x".repeat(NEVER_TAKEN_BYTES) };
        let list = self.list(&[probe])?;
        self.ask("tell the members of", |_| match self.client.commit(&list, CommitMode::Sync) {
            Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::OffsetMetadataTooLarge)) => Ok(false),
            Err(KafkaError::ConsumerCommit(code)) if is_members_word(code) => Ok(true),
            other => other.map(|()| false),
        })
    }

    /// Refuses a group that has members. Brokers do not: whoever is no member can commit offsets in a transaction beside
    /// those who are, and each side overwrites what the other has committed.
    ///
    /// # Errors
    /// [`Error::Refused`] where there are members, [`Error::Unavailable`] where the broker does not answer or refuses.
    pub fn refuse_members(&self) -> Result<(), Error> {
        let members = self.members()?;
        if members.is_empty() { Ok(()) } else { Err(self.refusal(&members)) }
    }

    /// The sentence that refuses a group with members.
    pub(super) fn refusal(&self, members: &[String]) -> Error {
        let who = if members.is_empty() { String::new() } else { format!(" ({})", members.join(", ")) };
        Error::Refused(format!(
            "group {} has members{who}, which move its offsets; stop them or choose another --group \
             (docs/runbooks/group-with-members.md)",
            self.name
        ))
    }

    /// Takes log lines and requests for a token that have come in.
    pub(super) fn serve(&self) {
        // There are no records to lose: nothing is assigned.
        while self.client.poll(Duration::ZERO).is_some() {}
    }

    /// The name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// As whom offsets are committed: as nobody, who is accepted where the group has no members.
    pub(super) fn metadata(&self) -> Result<ConsumerGroupMetadata, Error> {
        self.client
            .group_metadata()
            .ok_or_else(|| Error::Internal(format!("the Kafka client does not know its group {}", self.name)))
    }

    /// Offsets for a transaction. Each list is made anew: the client never frees a text that it replaces.
    pub(super) fn list(&self, offsets: &[CommittedOffset]) -> Result<TopicPartitionList, Error> {
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for CommittedOffset { partition, offset, metadata } in offsets {
            // The client would leave an offset that it cannot send out, without a word.
            let (Ok(index), Ok(position)) = (i32::try_from(*partition), i64::try_from(*offset)) else {
                return Err(Error::Internal(format!("partition {partition} cannot have the offset {offset}")));
            };
            let mut element = list.add_partition(&self.topic, index);
            element
                .set_offset(Offset::Offset(position))
                .map_err(|error| Error::Internal(format!("partition {partition}: {error}")))?;
            element.set_metadata(metadata);
        }
        Ok(list)
    }

    /// Asks until there is an answer, for a while.
    fn ask<T>(&self, what: &str, mut question: impl FnMut(Duration) -> Result<T, KafkaError>) -> Result<T, Error> {
        let deadline = Instant::now() + TIME_LIMIT;
        loop {
            // A login by token begins with the client asking for one.
            self.serve();
            let left = deadline.saturating_duration_since(Instant::now());
            let error = match question(PATIENCE.min(left).max(Duration::from_millis(1))) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            self.serve();
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
            if code == RDKafkaErrorCode::GroupAuthorizationFailed {
                return Err(Error::Unavailable(format!(
                    "the broker at {} does not {what} group {}: {code}; grant READ and DESCRIBE on the group",
                    self.servers, self.name
                )));
            }
            let seen = self.client.context().take_error();
            let is_refusal = seen.as_ref().is_some_and(ClientError::is_refusal);
            if is_refusal || Instant::now() >= deadline {
                let reason = seen.map_or_else(|| code.to_string(), |seen| seen.reason);
                return Err(Error::Unavailable(format!(
                    "Kafka at {} does not {what} group {}: {reason}; check the brokers and KAFKA_BOOTSTRAP_SERVERS",
                    self.servers, self.name
                )));
            }
            // Some errors come at once, without waiting.
            let _ = self.client.poll(Duration::from_millis(50));
        }
    }
}
