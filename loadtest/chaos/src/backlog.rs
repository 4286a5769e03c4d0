//! A topic that is full before the job begins, and too long for the naive model: what comes out of it is compared with the
//! generator's answer key and its totals alone.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use kit::Trouble;
use kit::generator::{Generator, Shape};
use kit::job::{Job, Names};
use kit::topic::Reader;
use kit::totals::Totals;

use crate::resume::ResumeRecords;
use crate::stage::{OUTPUT_PARTITIONS, Stage};
use crate::supervisor::Supervisor;
use crate::verify::{self, Comparison, compare, row_text};

/// How long writing and reading may take, and how many events more each second: a debug build beside others.
const PATIENCE: Duration = Duration::from_secs(90);
const EVENTS_PER_SECOND: u64 = 15_000;
const ASK_EVERY: Duration = Duration::from_millis(300);

/// A full topic.
pub(crate) struct Backlog {
    generator: Generator,
    partitions: u32,
    limit: Duration,
}

impl Backlog {
    /// Fills the stage's topic.
    pub(crate) fn fill(stage: &Stage<'_>, shape: Shape) -> Result<Self, Trouble> {
        stage.say(&format!("writing {} events", shape.events()));
        let mut generator = stage.generate(shape)?;
        let limit = PATIENCE + Duration::from_secs(shape.events() / EVENTS_PER_SECOND);
        let deadline = Instant::now() + limit;
        while generator.ended()?.is_none() && Instant::now() < deadline {
            // A child's end is told to nobody who has a time limit.
            thread::sleep(Duration::from_millis(50));
        }
        generator.expect_success()?;
        Ok(Backlog { generator, partitions: shape.partitions, limit })
    }

    /// One event more in each partition, which closes all windows.
    pub(crate) fn close_windows(&self, stage: &Stage<'_>) -> Result<(), Trouble> {
        stage.close_windows(self.partitions, self.generator.shape.closing_millis())
    }

    /// Waits until the job has read everything, and has committed that.
    pub(crate) fn wait_until_read(&self, stage: &mut Stage<'_>, jobs: &mut Supervisor) -> Result<(), Trouble> {
        let (broker, names) = (&stage.suite.broker, jobs.plan.names.clone());
        let ends = Reader::new(broker, &names.raw, self.partitions)?.ends()?;
        let records = ResumeRecords::new(broker, &names.group, &names.raw)?;
        self.wait("positions at the topic's end", stage, jobs, || {
            let Some(records) = records.read_all(self.partitions)? else { return Ok(false) };
            Ok(records.iter().zip(&ends).all(|(record, end)| record.position >= *end))
        })
    }

    /// Waits until the job has written every row of windows that are all closed, ends it, and compares.
    pub(crate) fn compare(&self, stage: &mut Stage<'_>, mut jobs: Supervisor) -> Result<(), Trouble> {
        self.wait_until_read(stage, &mut jobs)?;
        let (answers, names) = (self.generator.answers()?, jobs.plan.names.clone());
        let mut results = Reader::new(&stage.suite.broker, &names.results, OUTPUT_PARTITIONS)?;
        let has_all = || Ok(verify::finals(results.catch_up()?).count() >= answers.len());
        self.wait("every row", stage, &mut jobs, has_all)?;
        stage.say("comparing");
        jobs.terminate(&mut stage.tally)?;
        let (finals, wrong) = verify::topic_rows(results.catch_up()?);
        stage.take("results topic", compare(answers.iter().map(row_text), finals));
        stage.take("results topic", Comparison { compared: 0, differences: wrong });
        if jobs.plan.has_table {
            let stored = stage.suite.dynamo.final_rows(&names.table)?;
            stage.take("DynamoDB", compare(answers.iter().map(row_text), stored.iter().map(row_text)));
        }
        self.compare_counts(stage, &names)
    }

    /// How many records are counted, late and rejected; the latter are in their topics, each once.
    fn compare_counts(&self, stage: &mut Stage<'_>, names: &Names) -> Result<(), Trouble> {
        let totals = self.generator.totals()?;
        for (topic, expected) in [(&names.late, totals.late), (&names.rejected, totals.rejected)] {
            let mut reader = Reader::new(&stage.suite.broker, topic, OUTPUT_PARTITIONS)?;
            let records = reader.catch_up()?;
            let origins = records.iter().filter_map(|record| verify::kept(record).ok());
            let origins: BTreeSet<_> = origins.map(|kept| (kept.partition, kept.offset)).collect();
            let found = (records.len() as u64, origins.len() as u64);
            stage.tally.compared += found.0;
            if found != (expected, expected) {
                let (records, origins) = found;
                stage.tally.find(format!("{topic}: {records} records of {origins} origins, not {expected} of each"));
            }
        }
        let closing = u64::from(self.partitions);
        let all = Totals { received: totals.received + closing, counted: totals.counted + closing, ..totals };
        stage.compare_totals(self.partitions, names, all)
    }

    fn wait(
        &self,
        what: &str,
        stage: &mut Stage<'_>,
        jobs: &mut Supervisor,
        mut is_done: impl FnMut() -> Result<bool, Trouble>,
    ) -> Result<(), Trouble> {
        stage.say(&format!("waiting for {what}"));
        let mut ask_at = Instant::now();
        let is_done = |_: &Job| {
            if Instant::now() < ask_at {
                return Ok(false);
            }
            let is_done = is_done();
            ask_at = Instant::now() + ASK_EVERY;
            is_done
        };
        match jobs.run_until(what, self.limit, &mut stage.tally, is_done)? {
            true => Ok(()),
            false => Err(format!("what follows needs {what}").into()),
        }
    }
}
