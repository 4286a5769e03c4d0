//! The answer key: the exact results of a generated stream, worked out without the job.
//!
//! This is the specification written down as naively as it can be: per partition the latest event time so far, per
//! window and product the set of users. It reads what the generator knows of a record, not the record.

use std::collections::{BTreeMap, HashSet};
use std::mem;
use std::path::Path;

use schemas::{EventTime, Reason, ResultRow, Window};
use serde::Serialize;

use super::shape::Shape;
use super::stream::{Content, Generated};
use crate::duration::millis;
use crate::error::Error;
use crate::output::Output;

/// What becomes of the records of a stream: `received` is the sum of `counted`, `late`, `filtered` and all
/// `rejected`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// All records.
    pub received: u64,
    /// Valid events whose window was open, repeats of a seen user included.
    pub counted: u64,
    /// Valid events whose window was final.
    pub late: u64,
    /// Always 0: the key is for a job that takes all event types.
    pub filtered: u64,
    /// Records that are no valid events, by reason, in the order of judgement.
    pub rejected: BTreeMap<Reason, u64>,
    /// Windows with at least one row.
    pub windows: u64,
    /// Result rows.
    pub rows: u64,
}

/// Works out the results of a stream that is read from its beginning to its end, one watermark per partition,
/// without allowed lateness.
#[derive(Clone, Debug)]
pub struct AnswerKey {
    out_of_orderness_millis: i64,
    /// The latest time of a valid event in each partition.
    latest: Vec<Option<EventTime>>,
    /// Who looked at each product in each window that some partition may still add to.
    users: BTreeMap<(Window, u64), HashSet<u64>>,
    summary: Summary,
}

impl AnswerKey {
    /// The key of a stream of this shape, before its first record.
    #[must_use]
    pub fn new(shape: &Shape) -> Self {
        AnswerKey {
            out_of_orderness_millis: millis(shape.out_of_orderness),
            latest: vec![None; shape.partitions as usize],
            users: BTreeMap::new(),
            summary: Summary::default(),
        }
    }

    /// Takes note of the next record. Its partition is below the shape's number of partitions.
    pub fn observe(&mut self, record: &Generated) {
        self.summary.received += 1;
        match record.content {
            Content::Malformed(reason) => *self.summary.rejected.entry(reason).or_default() += 1,
            Content::Event { user, product, time } => self.observe_event(record.partition, user, product, time),
        }
    }

    fn observe_event(&mut self, partition: u32, user: u64, product: u64, time: EventTime) {
        let latest = self.latest[partition as usize];
        self.latest[partition as usize] = latest.max(Some(time));

        let window = Window::of(time);
        let is_late = latest.is_some_and(|latest| window.end_millis() <= self.watermark(latest));
        if is_late {
            self.summary.late += 1;
        } else {
            self.summary.counted += 1;
            self.users.entry((window, product)).or_default().insert(user);
        }
    }

    /// The watermark of a partition, from the latest time in it.
    fn watermark(&self, latest: EventTime) -> i64 {
        latest.millis() - self.out_of_orderness_millis
    }

    /// Hands out the rows of the windows that no partition can add to any more, in order; they are forgotten here.
    ///
    /// A partition that has no valid event yet holds everything back.
    pub fn take_closed(&mut self) -> Vec<ResultRow> {
        // None < Some.
        let Some(&Some(slowest)) = self.latest.iter().min() else { return Vec::new() };
        let Ok(watermark) = EventTime::from_millis(self.watermark(slowest)) else { return Vec::new() };
        let open = self.users.split_off(&(Window::of(watermark), 0));
        let closed = mem::replace(&mut self.users, open);
        self.rows(closed)
    }

    /// Ends the stream: the rest of the rows, in order, and the final counts.
    #[must_use]
    pub fn finish(mut self) -> (Vec<ResultRow>, Summary) {
        let users = mem::take(&mut self.users);
        let rows = self.rows(users);
        (rows, self.summary)
    }

    fn rows(&mut self, users: BTreeMap<(Window, u64), HashSet<u64>>) -> Vec<ResultRow> {
        let mut rows: Vec<ResultRow> = users
            .into_iter()
            .map(|((window, product), users)| ResultRow {
                product_id: product.to_string(),
                window,
                unique_user_count: users.len() as u64,
                revision: 0,
            })
            .collect();
        // By the bytes of the id, not by its number: "10" comes before "9".
        rows.sort_by(|a, b| (a.window, a.product_id.as_bytes()).cmp(&(b.window, b.product_id.as_bytes())));
        self.summary.rows += rows.len() as u64;
        self.summary.windows += rows.chunk_by(|a, b| a.window == b.window).count() as u64;
        rows
    }
}

/// Writes the answer key of a stream: its rows as the job writes them to a file, its [`Summary`] as JSON, or both.
#[derive(Debug)]
pub struct Answers {
    key: AnswerKey,
    rows: Option<Output>,
    summary: Option<Output>,
}

impl Answers {
    /// Opens the files, which appear once they are complete. With neither path the key is only worked out.
    ///
    /// # Errors
    /// [`Error::Io`] where a file cannot be created.
    pub fn create(shape: &Shape, rows: Option<&Path>, summary: Option<&Path>) -> Result<Self, Error> {
        let key = AnswerKey::new(shape);
        Ok(Answers {
            key,
            rows: rows.map(Output::create).transpose()?,
            summary: summary.map(Output::create).transpose()?,
        })
    }

    /// Takes note of the next record.
    pub fn observe(&mut self, record: &Generated) {
        self.key.observe(record);
    }

    /// Writes the rows that cannot change any more and frees what they took; to be called now and then.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be written.
    pub fn write_closed(&mut self) -> Result<(), Error> {
        let rows = self.key.take_closed();
        self.rows.as_mut().map_or(Ok(()), |output| rows.iter().try_for_each(|row| output.write_json_line(row)))
    }

    /// Writes all the rest.
    ///
    /// # Errors
    /// [`Error::Io`] where a file cannot be written.
    pub fn finish(self) -> Result<Summary, Error> {
        let (rows, summary) = self.key.finish();
        if let Some(mut output) = self.rows {
            rows.iter().try_for_each(|row| output.write_json_line(row))?;
            output.finish()?;
        }
        if let Some(mut output) = self.summary {
            output.write_json_line(&summary)?;
            output.finish()?;
        }
        Ok(summary)
    }
}
