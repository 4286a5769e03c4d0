//! The control item: by it a job takes the results over, tells readers every second how far it is, and learns that
//! another has taken over from it.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use schemas::names::{attribute, control};
use schemas::{ControlItem, EventTime};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::warn;

use super::fenced;
use super::put::{Item, integer, number};
use super::retry::{Failure, Retry, WARN_EVERY, reason};
use super::table::{Table, refused};
use crate::clock;
use crate::error::Error;

/// How often the item is written.
const EVERY: Duration = Duration::from_secs(1);
/// How long one attempt may take. Readers take an item for stale that is older than 10 s.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// A job that writes on: over nothing, over itself, over an earlier job.
const KEEP_CONDITION: &str = "attribute_not_exists(#epoch) OR #epoch <= :e";
/// A job that takes over: over nothing, over an earlier job.
const CLAIM_CONDITION: &str = "attribute_not_exists(#epoch) OR #epoch < :e";

/// The control item of a table of results.
#[derive(Debug)]
pub struct JobControl {
    client: Client,
    table: Table,
    /// For the requests at the start; those of each second are not repeated.
    retry: Retry,
    runtime: Handle,
}

impl JobControl {
    pub(super) fn new(client: Client, table: Table, retry: Retry, runtime: Handle) -> Self {
        JobControl { client, table, retry, runtime }
    }

    /// The epoch of the last job that took over; 0 where there was none.
    ///
    /// # Errors
    /// [`Error::Refused`] where the item is none that we understand; [`Error::Unavailable`] or [`Error::Usage`] where
    /// it cannot be read.
    pub fn recorded_epoch(&self) -> Result<u64, Error> {
        self.retry.begin();
        let request = self
            .client
            .get_item()
            .table_name(&self.table.name)
            .key(control::KEY, AttributeValue::S(control::JOB.to_owned()))
            .consistent_read(true);
        let answer = self.runtime.block_on(self.retry.call(|| request.clone().send()));
        match answer {
            Ok(answer) => answer.item.map_or(Ok(0), |item| self.epoch_of(&item)),
            Err(Failure::GaveUp(error)) => Err(error),
            Err(Failure::Permanent(error)) => Err(refused(&error, "GetItem", &self.table, &self.retry)),
        }
    }

    /// Takes over with `epoch`: from now on a job with an earlier one learns that it has been replaced. `watermark` is
    /// the one that the job resumes at, so that readers do not lose it; as in [`keep`](Self::keep).
    ///
    /// # Errors
    /// [`Error::Refused`] where another job has taken over with this epoch or a higher one; [`Error::Unavailable`] or
    /// [`Error::Usage`] where the item cannot be written.
    pub fn claim(&self, epoch: u64, watermark: Option<i64>) -> Result<(), Error> {
        self.retry.begin();
        let item = item_of(epoch, watermark);
        let request = self.put(&item, CLAIM_CONDITION);
        match self.runtime.block_on(self.retry.call(|| request.clone().send())) {
            Ok(_) => Ok(()),
            Err(Failure::GaveUp(error)) => Err(error),
            Err(Failure::Permanent(error)) => match refused_by(&error) {
                // The first attempt came through, but its answer did not: what stands there is what we wrote.
                Some(Some(stored)) if stored == &attributes(&item) => Ok(()),
                Some(stored) => Err(self.taken(stored, epoch)),
                None => Err(refused(&error, "PutItem", &self.table, &self.retry)),
            },
        }
    }

    /// Writes the item every second until the answer is dropped. `watermark` is in milliseconds since the Unix epoch,
    /// none while it is not known. `on_fenced` hears, once, that a job with a higher epoch has taken over; nothing is
    /// written after that. A put that fails in another way is spoken of, and made good by the next.
    pub fn keep<W, F>(self, epoch: u64, watermark: W, on_fenced: F) -> Keeper
    where
        W: Fn() -> Option<i64> + Send + 'static,
        F: FnOnce(Error) + Send + 'static,
    {
        let runtime = self.runtime.clone();
        let task = runtime.spawn(async move { on_fenced(self.until_fenced(epoch, watermark).await) });
        Keeper(task.abort_handle())
    }

    async fn until_fenced(&self, epoch: u64, watermark: impl Fn() -> Option<i64>) -> Error {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_warning: Option<Instant> = None;
        loop {
            ticks.tick().await;
            let item = item_of(epoch, watermark());
            let failure = match timeout(ANSWER_WITHIN, self.put(&item, KEEP_CONDITION).send()).await {
                Ok(Ok(_)) => continue,
                Ok(Err(error)) => match refused_by(&error) {
                    Some(stored) => return self.taken(stored, epoch),
                    None => reason(&error),
                },
                Err(_) => format!("no answer within {} s", ANSWER_WITHIN.as_secs()),
            };
            if last_warning.is_none_or(|last| last.elapsed() >= WARN_EVERY) {
                last_warning = Some(Instant::now());
                let table = self.table.name.as_str();
                warn!(table, reason = failure, "readers are not told how far the job is; the next put will try again");
            }
        }
    }

    fn put(&self, item: &ControlItem, condition: &str) -> PutItemFluentBuilder {
        self.client
            .put_item()
            .table_name(&self.table.name)
            .set_item(Some(attributes(item)))
            .condition_expression(condition)
            .expression_attribute_names("#epoch", attribute::JOB_EPOCH)
            .expression_attribute_values(":e", number(item.job_epoch))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    /// Why an item does not let ours pass. A store may not show it.
    fn taken(&self, stored: Option<&Item>, ours: u64) -> Error {
        let place = format!("item {:?}", control::JOB);
        match stored.map(|stored| self.epoch_of(stored)) {
            Some(Ok(theirs)) => fenced(&self.table, &place, theirs, ours),
            Some(Err(error)) => error,
            None => Error::Refused(format!(
                "another job owns table {} ({place} has a higher epoch than {ours}, which is this one's); let one of \
                 the two run, or give each a table of its own in DYNAMODB_TABLE",
                self.table.name
            )),
        }
    }

    fn epoch_of(&self, item: &Item) -> Result<u64, Error> {
        let (version, epoch) = (integer(item, control::VERSION), integer(item, attribute::JOB_EPOCH));
        match (version, epoch) {
            (Some(control::V), Some(epoch)) => Ok(epoch),
            (Some(other), _) if other > control::V => Err(Error::Refused(format!(
                "item {:?} of table {} has form {other}, and this version of the job knows {}; use the version that \
                 wrote it, or a later one",
                control::JOB,
                self.table.name,
                control::V
            ))),
            _ => Err(Error::Refused(format!(
                "item {:?} of table {} is none that a job wrote: it has no numbers {} and {}; delete it",
                control::JOB,
                self.table.name,
                attribute::JOB_EPOCH,
                control::VERSION
            ))),
        }
    }
}

/// Writes the control item; ends when it is dropped.
#[derive(Debug)]
#[must_use = "the control item is written as long as this is held"]
pub struct Keeper(AbortHandle);

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn attributes(item: &ControlItem) -> Item {
    let text = |time: EventTime| AttributeValue::S(time.to_string());
    let mut attributes = Item::from([
        (control::KEY.to_owned(), AttributeValue::S(control::JOB.to_owned())),
        (attribute::JOB_EPOCH.to_owned(), number(item.job_epoch)),
        (control::PROCESSED_AT.to_owned(), text(item.processed_at)),
        (control::VERSION.to_owned(), number(control::V)),
    ]);
    attributes.extend(item.watermark.map(|time| (control::WATERMARK.to_owned(), text(time))));
    attributes
}

/// The item that did not let a put pass, where that was the reason and it is shown.
fn refused_by(error: &SdkError<PutItemError>) -> Option<Option<&Item>> {
    match error.as_service_error() {
        Some(PutItemError::ConditionalCheckFailedException(refusal)) => Some(refusal.item()),
        _ => None,
    }
}

fn item_of(job_epoch: u64, watermark: Option<i64>) -> ControlItem {
    let time = |millis| EventTime::from_millis(millis).ok();
    let processed_at = time(clock::now_millis()).unwrap_or(EventTime::MIN);
    ControlItem { job_epoch, watermark: watermark.and_then(time), processed_at }
}
