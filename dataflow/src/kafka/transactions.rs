//! Records and offsets, written at once or not at all.

use std::time::{Duration, Instant};

use kafka_client::KafkaArgs;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer as _;

use super::group::{CommittedOffset, Group, is_members_word};
use super::producer::Producer;
use crate::error::Error;

/// How long trouble of the brokers is ridden out, in each step of a transaction.
const RIDE_OUT: Duration = Duration::from_secs(60);
/// How long one call into the client takes; acknowledgements and requests for a token are served in between.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the abort of a transaction may take where the job ends anyway.
const PARTING: Duration = Duration::from_secs(5);
/// The pause before a call that failed at once is made again.
const PAUSE: Duration = Duration::from_millis(20);

/// Why a transaction was not committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It was aborted; the same records can be sent again.
    Aborted(String),
    /// Another producer has our transactional id, or the broker gave the transaction up; the resume records say which.
    Fenced(String),
    /// Anything else, and the end.
    Final(Error),
}

/// Writes in transactions, for one thread. One object in the world has a transactional id: the last one made.
#[derive(Debug)]
pub struct Transactions {
    producer: Producer,
    group: Group,
    transactional_id: String,
    servers: String,
}

impl Transactions {
    /// Fences every earlier producer of the transactional id, and aborts what it left open.
    ///
    /// # Errors
    /// [`Error::Usage`] where the flags are wrong, [`Error::Unavailable`] where no broker answers or it refuses.
    pub fn fence(args: &KafkaArgs, transactional_id: &str, group: &str, input_topic: &str) -> Result<Self, Error> {
        let group = Group::connect(args, group, input_topic)?;
        let producer = Producer::transactional(args, transactional_id)?;
        let servers = args.servers()?.to_owned();
        let this = Transactions { producer, group, transactional_id: transactional_id.to_owned(), servers };
        let client = this.producer.client();
        // A login by token begins with the client asking for one.
        this.producer.serve(Duration::from_millis(1));
        match this.persist(RIDE_OUT, || client.init_transactions(PATIENCE)) {
            Ok(()) => Ok(this),
            Err(error) => Err(match this.explain(&error) {
                // Another has fenced us between two of our questions.
                Failure::Aborted(reason) | Failure::Fenced(reason) => Error::Restart(reason),
                Failure::Final(Error::Restart(reason)) => Error::Unavailable(reason),
                Failure::Final(error) => error,
            }),
        }
    }

    /// The group, to ask for members.
    #[must_use]
    pub const fn group(&self) -> &Group {
        &self.group
    }

    /// What the group has committed for partitions 0 to `partitions`, in their order.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the broker does not answer or refuses.
    pub fn committed(&self, partitions: u32) -> Result<Vec<Option<CommittedOffset>>, Error> {
        self.group.committed(partitions)
    }

    /// Takes log lines and requests for a token that have come in; to be called where there is nothing to commit.
    pub fn serve(&self) {
        self.producer.serve(Duration::ZERO);
        self.group.serve();
    }

    /// One transaction: what `write` sends, and the offsets. Trouble of the brokers is ridden out for a while. No record
    /// can be read before all can, and the offsets.
    ///
    /// # Errors
    /// [`Failure`] says what became of it.
    pub fn commit(
        &mut self,
        write: impl FnOnce(&mut Producer) -> Result<(), Error>,
        offsets: &[CommittedOffset],
    ) -> Result<(), Failure> {
        self.serve();
        let list = self.group.list(offsets).map_err(Failure::Final)?;
        let group = self.group.metadata().map_err(Failure::Final)?;
        self.producer.client().begin_transaction().map_err(|error| self.explain(&error))?;

        // Acknowledged before the commit: the client would wait for acknowledgements that nobody takes in.
        if let Err(error) = write(&mut self.producer).and_then(|()| self.producer.flush()) {
            let failure = self.judge(error);
            return Err(self.give_up(failure));
        }
        // Not to be asked twice: the client itself tries again until its time is up, and wants an abort then.
        let client = self.producer.client();
        let sent = client.send_offsets_to_transaction(&list, &group, RIDE_OUT);
        let done = sent.and_then(|()| self.persist(RIDE_OUT, || client.commit_transaction(PATIENCE)));
        done.map_err(|error| {
            let failure = self.explain(&error);
            self.give_up(failure)
        })
    }

    /// Calls until it works, the error says that another call is of no use, or the time is up.
    fn persist(&self, limit: Duration, call: impl Fn() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
        let deadline = Instant::now() + limit;
        loop {
            let error = match call() {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let is_retriable = match &error {
                KafkaError::Transaction(error) => error.is_retriable(),
                KafkaError::Flush(_) => true,
                _ => false,
            };
            if !is_retriable || Instant::now() >= deadline {
                return Err(error);
            }
            self.producer.serve(PAUSE);
        }
    }

    /// Aborts what was begun. The failure stands, unless the abort fails.
    fn give_up(&mut self, failure: Failure) -> Failure {
        let limit = match failure {
            Failure::Fenced(_) => return failure,
            Failure::Aborted(_) => RIDE_OUT,
            Failure::Final(_) => PARTING,
        };
        // The client purges its queue, then waits for all reports to be taken in, which only happens between calls.
        let client = self.producer.client();
        let abort = || {
            let patience = if client.in_flight_count() == 0 { PATIENCE } else { PAUSE };
            client.abort_transaction(patience)
        };
        let aborted = self.persist(limit, abort);
        self.producer.forget();
        match (aborted, failure) {
            (Err(error), Failure::Aborted(reason)) => match self.explain(&error) {
                Failure::Aborted(second) => Failure::Final(Error::Restart(format!(
                    "a transaction cannot be aborted: {second}, after {reason}; start again"
                ))),
                other => other,
            },
            (_, failure) => failure,
        }
    }

    /// What an error while records were sent means.
    fn judge(&self, error: Error) -> Failure {
        if let Some((code, reason)) = self.producer.client().client().fatal_error() {
            return self.fatal(code, &reason);
        }
        match self.producer.first_failure() {
            // The broker's word on the record, which it would say again.
            Some(
                RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::InvalidMessageSize
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed
                | RDKafkaErrorCode::TransactionalIdAuthorizationFailed
                | RDKafkaErrorCode::PolicyViolation
                | RDKafkaErrorCode::InvalidRecord,
            )
            // Nothing became of no record: the error is the caller's own.
            | None => Failure::Final(error),
            Some(_) => Failure::Aborted(error.to_string()),
        }
    }

    /// What an error of a transaction's call means.
    fn explain(&self, error: &KafkaError) -> Failure {
        let KafkaError::Transaction(error) = error else {
            return Failure::Final(self.restart(&error.to_string()));
        };
        let (code, reason) = (error.code(), error.string());
        let (id, group) = (&self.transactional_id, self.group.name());
        match code {
            // Apache Kafka takes offsets in a transaction all the same; not all brokers may.
            code if is_members_word(code) => {
                Failure::Final(self.group.refusal(&self.group.members().unwrap_or_default()))
            }
            RDKafkaErrorCode::OffsetMetadataTooLarge => Failure::Final(Error::Unavailable(format!(
                "Kafka at {} refuses the resume records of group {group} as too large; raise offset.metadata.max.bytes of \
                 the brokers to 4096, the default",
                self.servers
            ))),
            RDKafkaErrorCode::GroupAuthorizationFailed => Failure::Final(Error::Unavailable(format!(
                "cannot commit offsets of group {group}: {code}; grant READ and DESCRIBE on the group"
            ))),
            RDKafkaErrorCode::TransactionalIdAuthorizationFailed => Failure::Final(Error::Unavailable(format!(
                "cannot write as transactional id {id}: {code}; grant WRITE and DESCRIBE on the transactional id"
            ))),
            RDKafkaErrorCode::UnsupportedFeature | RDKafkaErrorCode::UnsupportedVersion => {
                Failure::Final(Error::Usage(format!(
                    "the broker at {} has no transactions ({code}); use --delivery at-least-once --resume file:PATH",
                    self.servers
                )))
            }
            RDKafkaErrorCode::InvalidTransactionTimeout => Failure::Final(Error::Usage(format!(
                "the broker at {} does not let a transaction take so long; lower transaction.timeout.ms in --kafka-config",
                self.servers
            ))),
            _ if error.is_fatal() => self.fatal(code, &reason),
            _ if error.txn_requires_abort() => Failure::Aborted(reason),
            _ => Failure::Final(self.restart(&reason)),
        }
    }

    /// What an error means after which the client serves no more.
    fn fatal(&self, code: RDKafkaErrorCode, reason: &str) -> Failure {
        match code {
            RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced | RDKafkaErrorCode::InvalidProducerEpoch => {
                Failure::Fenced(format!("the transactional id {} was fenced: {reason}", self.transactional_id))
            }
            _ => Failure::Final(self.restart(reason)),
        }
    }

    fn restart(&self, reason: &str) -> Error {
        // What the client saw last says more than that its time is up.
        let seen = self.producer.take_error().map(|seen| format!(" ({})", seen.reason)).unwrap_or_default();
        Error::Restart(format!(
            "Kafka at {} does not carry on the transactions of {}: {reason}{seen}; look at the brokers and start again",
            self.servers, self.transactional_id
        ))
    }
}
