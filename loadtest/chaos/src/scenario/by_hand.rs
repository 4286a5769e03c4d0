//! Events that are written minute by minute, each after the job has read the one before: whatever partitions take part,
//! every event is on time, so the naive model without idle partitions is right about all of them.

use std::time::{Duration, Instant};

use kit::Trouble;
use kit::generator::{self, START};
use kit::topic::Reader;
use rand::RngExt as _;
use schemas::{EventTime, Window};

use crate::resume::ResumeRecords;
use crate::stage::Stage;
use crate::supervisor::Supervisor;
use crate::verify;

const EVENTS: i64 = 30;
const LIMIT: Duration = Duration::from_secs(40);
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Writes minutes of events.
pub(super) struct ByHand {
    /// How many partitions the topic has.
    pub(super) partitions: u32,
    /// The minute that is written next.
    minute: i64,
}

impl ByHand {
    /// Begins at noon.
    pub(super) fn new(partitions: u32) -> Self {
        let start = EventTime::parse(START.as_bytes()).map_or(0, EventTime::millis);
        ByHand { partitions, minute: start / Window::MILLIS }
    }

    /// Writes a minute of events into some partitions.
    pub(super) fn write(&mut self, stage: &mut Stage<'_>, partitions: &[u32]) -> Result<(), Trouble> {
        let start = self.minute * Window::MILLIS;
        self.minute += 1;
        let mut records = Vec::new();
        // In order, over the whole minute: the watermark ends ten seconds before the minute does.
        for index in 0..EVENTS {
            for &partition in partitions {
                let user = format!("u{}", stage.random.random_range(1..=25));
                let product = stage.random.random_range(1..=8).to_string();
                let event = generator::event(&user, &product, start + index * Window::MILLIS / EVENTS);
                records.push((partition, user, event));
            }
        }
        stage.suite.broker.send(&stage.names.raw, &records)
    }

    /// Waits until the job has read all that was written.
    pub(super) fn wait_until_read(&self, stage: &mut Stage<'_>, jobs: &mut Supervisor) -> Result<(), Trouble> {
        let broker = &stage.suite.broker;
        let ends = Reader::new(broker, &stage.names.raw, self.partitions)?.ends()?;
        let records = ResumeRecords::new(broker, &stage.names.group, &stage.names.raw)?;
        let partitions = self.partitions;
        let what = format!("the end of all {partitions} partitions");
        let is_read = || {
            let Some(records) = records.read_all(partitions)? else { return Ok(false) };
            Ok(records
                .iter()
                .zip(&ends)
                .all(|(record, end)| record.position >= *end && record.partitions == partitions))
        };
        wait_until(stage, jobs, &what, is_read)
    }

    /// Writes a minute and waits until it is read.
    pub(super) fn step(
        &mut self,
        stage: &mut Stage<'_>,
        jobs: &mut Supervisor,
        partitions: &[u32],
    ) -> Result<(), Trouble> {
        self.write(stage, partitions)?;
        self.wait_until_read(stage, jobs)
    }

    /// Waits until the results topic holds final rows of the last minute but one: the silent partitions hold nothing up.
    pub(super) fn wait_until_closed(&self, stage: &mut Stage<'_>, jobs: &mut Supervisor) -> Result<(), Trouble> {
        let mut results = Reader::new(&stage.suite.broker, &stage.names.results, crate::stage::OUTPUT_PARTITIONS)?;
        let ordinal = u32::try_from(self.minute - 2).unwrap_or_default();
        let window = format!("window {} ", Window::from_ordinal(ordinal));
        let what = format!("final rows of {window}while partitions are silent");
        let is_closed = || Ok(verify::topic_rows(results.catch_up()?).0.iter().any(|row| row.starts_with(&window)));
        wait_until(stage, jobs, &what, is_closed)
    }

    /// Closes all windows, and compares.
    pub(super) fn finish(self, stage: &mut Stage<'_>, jobs: Supervisor) -> Result<(), Trouble> {
        stage.close_windows(self.partitions, (self.minute + 2) * Window::MILLIS)?;
        stage.compare(self.partitions, None, jobs)
    }
}

fn wait_until(
    stage: &mut Stage<'_>,
    jobs: &mut Supervisor,
    what: &str,
    mut is_done: impl FnMut() -> Result<bool, Trouble>,
) -> Result<(), Trouble> {
    let mut ask_at = Instant::now();
    let reached = jobs.run_until(what, LIMIT, &mut stage.tally, |_| {
        if Instant::now() < ask_at {
            return Ok(false);
        }
        ask_at = Instant::now() + ASK_EVERY;
        is_done()
    })?;
    if reached { Ok(()) } else { Err(format!("what follows needs {what}").into()) }
}
