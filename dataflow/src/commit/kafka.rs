//! Resume records in a Kafka group, committed in one transaction with the output.

use std::ops::Range;
use std::time::{Duration, Instant};

use schemas::EventTime;

use super::begin::{Begin, Expected, Start, resume};
use super::home::{Commit, Failure, Home, Output};
use super::ledger::Identity;
use super::record::ResumeRecord;
use crate::clock;
use crate::error::Error;
use crate::kafka::{self, CommittedOffset, KafkaArgs, Transactions, topic};
use crate::partitions::Watermark;
use crate::record::{Offset, PartitionId};
use crate::sink::kafka::KafkaOutput;

/// How long a job that was shut out looks for whoever did it, before it takes its transaction to have timed out: the
/// other one takes its place first, and writes its name after.
const LOOK_FOR_SUCCESSOR: Duration = Duration::from_secs(5);
/// How a job begins anew whose records are in a group.
pub const NEW_GROUP: &str = "choose a new --group";
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How often a job looks for others in its group: a member that joins would overwrite its records, and a job that has
/// taken its place shows itself only when there is something to commit.
const LOOK_FOR_OTHERS: Duration = Duration::from_secs(60);

/// Where a group begins that has no records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// With the first record that the topic still has.
    Beginning,
    /// With the first record that comes.
    End,
    /// With the first record that the broker has got at this time or later.
    Time(EventTime),
}

/// The topic that the records are about.
#[derive(Clone, Debug)]
pub struct Source {
    /// How to reach it.
    pub args: KafkaArgs,
    /// Its name.
    pub topic: String,
    /// Where a first start begins.
    pub from: From,
    /// What records are made of.
    pub identity: Identity,
}

impl Source {
    /// The first and the next offset of each partition.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the broker does not answer.
    pub fn extents(&self) -> Result<Vec<Range<u64>>, Error> {
        Ok(topic::inspect(&self.args)?.extents(&self.topic)?)
    }

    /// What records in `home` are checked against.
    #[must_use]
    pub fn expected<'a>(&'a self, home: &'a str, anew: &'a str, extents: &'a [Range<u64>]) -> Expected<'a> {
        Expected {
            home,
            anew,
            topic: &self.topic,
            settings: self.identity.settings,
            out_of_orderness_millis: self.identity.out_of_orderness_millis,
            extents,
        }
    }

    /// The start of a job that has no records.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the broker does not answer.
    pub fn first_start(&self, extents: &[Range<u64>]) -> Result<Start, Error> {
        let offsets = match self.from {
            From::Beginning => extents.iter().map(|extent| extent.start).collect(),
            From::End => extents.iter().map(|extent| extent.end).collect(),
            From::Time(time) => topic::inspect(&self.args)?.offsets_at(&self.topic, extents, time)?,
        };
        let mut start = Start::first(offsets.into_iter().map(Offset), clock::now_millis());
        for (begin, extent) in start.partitions.iter_mut().zip(extents) {
            begin.end = Offset(extent.end);
        }
        Ok(start)
    }

    /// The records with which a job begins: those that it has read, with its own epoch and name.
    #[must_use]
    pub fn commits(&self, start: &Start) -> Vec<Commit> {
        let partitions = u32::try_from(start.partitions.len()).unwrap_or(u32::MAX);
        let commit = |(number, begin): (u32, &Begin)| Commit {
            partition: PartitionId(number),
            offset: begin.offset,
            record: ResumeRecord {
                closed_through: time_of(start.closed_through(), 0),
                greatest_event: time_of(begin.watermark, self.identity.out_of_orderness_millis),
                position: begin.position,
                partitions,
                joins: begin.joins.clone(),
                seen: EventTime::from_millis(begin.seen_millis).unwrap_or(EventTime::MIN),
                is_idle: false,
                epoch: start.epoch,
                revision: start.revision,
                settings: self.identity.settings,
                owner: self.identity.owner.clone(),
                totals: begin.totals,
            },
        };
        (0..).zip(&start.partitions).map(commit).collect()
    }
}

fn time_of(watermark: Watermark, behind_millis: i64) -> Option<EventTime> {
    EventTime::from_millis(watermark.millis()?.checked_add(behind_millis)?).ok()
}

/// The group of a job.
#[derive(Debug)]
pub struct KafkaHome {
    source: Source,
    group: String,
    transactional_id: String,
    /// The topics for output; none where the job writes elsewhere.
    output: Option<KafkaOutput>,
    transactions: Option<Transactions>,
    epoch: u64,
    partitions: u32,
    looked_for_others: Option<Instant>,
}

impl KafkaHome {
    /// The records of `group`; whoever has the same environment and group is shut out.
    #[must_use]
    pub fn new(source: Source, environment: &str, group: &str, output: Option<KafkaOutput>) -> Self {
        KafkaHome {
            source,
            group: group.to_owned(),
            transactional_id: format!("{environment}-{group}"),
            output,
            transactions: None,
            epoch: 0,
            partitions: 0,
            looked_for_others: None,
        }
    }

    /// The refusal of a job that another one has taken the place of, as the records say.
    fn superseded(&self, transactions: &Transactions) -> Option<Error> {
        let committed = transactions.committed(self.partitions).ok()?;
        let records = committed.iter().flatten().filter_map(|commit| commit.metadata.parse::<ResumeRecord>().ok());
        // Two jobs that were started at the same time may have found the same epoch.
        let is_other = |record: &ResumeRecord| {
            record.epoch > self.epoch || (record.epoch == self.epoch && record.owner != self.source.identity.owner)
        };
        let successor = records.max_by_key(|record| record.epoch).filter(is_other)?;
        Some(Error::Refused(format!(
            "another job has taken over group {} with epoch {} (this one has epoch {}): {}; let one of the two run, or give \
             each a --group of its own (docs/runbooks/fenced.md)",
            self.group, successor.epoch, self.epoch, successor.owner
        )))
    }

    /// Who has shut this job out: another one, or nobody.
    fn judge_fenced(&self, transactions: &Transactions, why: &str) -> Error {
        let deadline = Instant::now() + LOOK_FOR_SUCCESSOR;
        loop {
            if let Some(refusal) = self.superseded(transactions) {
                return refusal;
            }
            if Instant::now() >= deadline {
                return Error::Restart(format!(
                    "a transaction of {} took longer than its time limit and was given up by the broker ({why}); the job goes \
                     on where its last commit was when it is started again (docs/runbooks/transaction-timed-out.md)",
                    self.transactional_id
                ));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn explain(&self, transactions: &Transactions, failure: kafka::Failure) -> Failure {
        match failure {
            kafka::Failure::Aborted(why) => Failure::Aborted(why),
            kafka::Failure::Fenced(why) => Failure::Final(self.judge_fenced(transactions, &why)),
            kafka::Failure::Final(error) => Failure::Final(error),
        }
    }
}

impl Home for KafkaHome {
    fn open(&mut self, least_epoch: u64) -> Result<Start, Error> {
        let topic = &self.source.topic;
        let mut transactions = Transactions::fence(&self.source.args, &self.transactional_id, &self.group, topic)?;
        transactions.group().refuse_members()?;
        let extents = self.source.extents()?;
        self.partitions = u32::try_from(extents.len()).unwrap_or(u32::MAX);
        let committed = transactions.committed(self.partitions)?;
        let home = format!("group {}", self.group);
        let resumed = resume(&committed, &self.source.expected(&home, NEW_GROUP, &extents), clock::now_millis())?;
        let mut start = match resumed {
            Some(start) => start,
            None => self.source.first_start(&extents)?,
        };
        start.epoch = start.epoch.max(least_epoch);
        self.epoch = start.epoch;
        let offsets = offsets(&self.source.commits(&start));
        let mut attempts = 0;
        while let Err(failure) = transactions.commit(|_| Ok(()), &offsets) {
            attempts += 1;
            match self.explain(&transactions, failure) {
                Failure::Final(error) => return Err(error),
                Failure::Aborted(why) if attempts == 5 => return Err(Error::Unavailable(why)),
                Failure::Aborted(_) => {}
            }
        }
        self.transactions = Some(transactions);
        self.looked_for_others = Some(Instant::now());
        Ok(start)
    }

    fn commit(&mut self, outputs: &[Output], commits: &[Commit]) -> Result<(), Failure> {
        let Some(mut transactions) = self.transactions.take() else {
            return Err(Failure::Final(Error::Internal(
                "a commit before the records were read; please report it".to_owned(),
            )));
        };
        let output = &mut self.output;
        let written = transactions.commit(
            |producer| {
                let Some(output) = output else { return Ok(()) };
                outputs.iter().try_for_each(|part| output.write(producer, part))
            },
            &offsets(commits),
        );
        let written = written.map_err(|failure| self.explain(&transactions, failure));
        self.transactions = Some(transactions);
        if let (Ok(()), Some(output)) = (&written, &mut self.output) {
            output.acknowledge(outputs);
            self.partitions = self.partitions.max(commits.iter().map(|c| c.partition.0 + 1).max().unwrap_or(0));
        }
        written
    }

    fn tend(&mut self) -> Result<(), Error> {
        let Some(transactions) = &self.transactions else { return Ok(()) };
        transactions.serve();
        if self.looked_for_others.is_some_and(|looked| looked.elapsed() < LOOK_FOR_OTHERS) {
            return Ok(());
        }
        let refusal = match transactions.group().refuse_members() {
            // A broker that does not answer now says nothing of members.
            Ok(()) | Err(Error::Unavailable(_)) => self.superseded(transactions),
            Err(refusal) => Some(refusal),
        };
        self.looked_for_others = Some(Instant::now());
        refusal.map_or(Ok(()), Err)
    }

    fn takes_output(&self) -> bool {
        self.output.is_some()
    }
}

fn offsets(commits: &[Commit]) -> Vec<CommittedOffset> {
    let offset = |commit: &Commit| CommittedOffset {
        partition: commit.partition.0,
        offset: commit.offset.0,
        metadata: commit.record.to_string(),
    };
    commits.iter().map(offset).collect()
}
