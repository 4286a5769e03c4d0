//! One scenario's topics, table, generator and job, and the comparison at its end.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kit::Trouble;
use kit::generator::{self, Generator, Shape};
use kit::http_proxy::HttpProxy;
use kit::job::{Names, Plan};
use kit::topic::Reader;
use kit::totals::Totals;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use schemas::ResultRow;

use crate::model::{self, Expected};
use crate::resume::ResumeRecords;
use crate::suite::Suite;
use crate::supervisor::Supervisor;
use crate::tally::Tally;
use crate::verify::{self, Comparison, compare, row_text};

/// How long the generator may take beyond its time, and the job to catch up with it.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often the broker is asked how far the job is.
const ASK_EVERY: Duration = Duration::from_millis(250);
/// Partitions of the topics that the job writes to.
pub(crate) const OUTPUT_PARTITIONS: u32 = 3;

/// What a scenario plays on.
pub(crate) struct Stage<'a> {
    /// What all scenarios share.
    pub(crate) suite: &'a Suite,
    /// Where logs and the answer key are.
    pub(crate) folder: PathBuf,
    /// Topics, group and table.
    pub(crate) names: Names,
    /// Of the scenario's own: it does not matter which ones were played before.
    pub(crate) random: ChaCha8Rng,
    /// What has happened.
    pub(crate) tally: Tally,
    /// What stands between job and DynamoDB.
    pub(crate) store: HttpProxy,
    seed: u64,
}

impl<'a> Stage<'a> {
    /// The stage of the scenario with this place in the list of all.
    pub(crate) fn new(suite: &'a Suite, index: u64, name: &str, folder: &Path) -> Result<Self, Trouble> {
        fs::create_dir_all(folder)?;
        let seed = suite.seed.wrapping_mul(1000).wrapping_add(index);
        let (random, tally) = (ChaCha8Rng::seed_from_u64(seed), Tally::default());
        let store = HttpProxy::start(suite.dynamo.address, seed, &suite.runtime)?;
        Ok(Stage { suite, folder: folder.to_owned(), names: Names::of(name), random, tally, store, seed })
    }

    /// One of two numbers, for the short and the long form of the suite.
    pub(crate) fn pick<T>(&self, short: T, long: T) -> T {
        if self.suite.args.short { short } else { long }
    }

    /// A random time.
    pub(crate) fn seconds(&mut self, from: f64, to: f64) -> Duration {
        Duration::from_secs_f64(self.random.random_range(from..to))
    }

    /// Says what is being done.
    pub(crate) fn say(&self, text: &str) {
        self.suite.progress.say(&format!("{}: {text}", self.names.scenario));
    }

    /// Creates the topics; those of raw events with so many partitions.
    pub(crate) fn create_topics(&self, partitions: u32) -> Result<(), Trouble> {
        let outputs = outputs(&self.names);
        self.suite.broker.create_topics(&[&[(self.names.raw.as_str(), partitions)], &outputs[..]].concat())
    }

    /// Another job on the same events: creates the topics that it writes to.
    pub(crate) fn reader(&self, name: &str) -> Result<Plan, Trouble> {
        let names = self.names.of_reader(name);
        self.suite.broker.create_topics(&outputs(&names))?;
        Ok(Plan { names, ..self.plan() })
    }

    /// Creates the topics and starts a generator.
    pub(crate) fn generate(&self, shape: Shape) -> Result<Generator, Trouble> {
        self.create_topics(shape.partitions)?;
        let Suite { args, broker, .. } = self.suite;
        Generator::start(&args.dataflow, shape, self.seed, &broker.bootstrap, &self.names.raw, &self.folder)
    }

    /// A job of one process with two workers, with nothing in between but the store's proxy.
    pub(crate) fn plan(&self) -> Plan {
        Plan {
            program: self.suite.args.dataflow.clone(),
            bootstrap: self.suite.broker.bootstrap.clone(),
            store: self.store.address,
            names: self.names.clone(),
            workers: 2,
            processes: 1,
            has_table: true,
            max_partition_skew: None,
            lateness_minutes: 0,
            // Nothing is idle but where that is the subject.
            idle_timeout: "10m",
            properties: Vec::new(),
            recovers: !self.suite.args.self_test,
            flags: Vec::new(),
        }
    }

    /// Starts the job under a supervisor.
    pub(crate) fn supervise(&self, plan: Plan) -> Result<Supervisor, Trouble> {
        let reader = plan.names.scenario.strip_prefix(&self.names.scenario).unwrap_or_default();
        let log = self.folder.join(format!("job{reader}.log"));
        Supervisor::start(plan, log)
    }

    /// Waits for the generator's end, closes the last windows, waits until the job has done all, ends it, and compares.
    pub(crate) fn finish(&mut self, mut generator: Generator, mut jobs: Supervisor) -> Result<(), Trouble> {
        self.wait_for_generator(&mut generator, &mut jobs)?;
        let Shape { partitions, .. } = generator.shape;
        // The key knows no allowed lateness.
        let answers = (jobs.plan.lateness_minutes == 0).then(|| generator.answers()).transpose()?;
        self.compare(partitions, answers, jobs)
    }

    /// Waits for the generator's end, and closes the last windows.
    pub(crate) fn wait_for_generator(
        &mut self,
        generator: &mut Generator,
        jobs: &mut Supervisor,
    ) -> Result<(), Trouble> {
        self.say("waiting for the generator");
        let limit = Duration::from_secs(generator.shape.seconds) + PATIENCE;
        jobs.run_until("the generator's end", limit, &mut self.tally, |_| Ok(generator.ended()?.is_some()))?;
        generator.expect_success()?;
        self.close_windows(generator.shape.partitions, generator.shape.closing_millis())
    }

    /// One event in each partition, after whose time every window that was generated is closed.
    pub(crate) fn close_windows(&self, partitions: u32, millis: i64) -> Result<(), Trouble> {
        let event = |partition| (partition, "closing".to_owned(), generator::event("closing", "closing", millis));
        self.suite.broker.send(&self.names.raw, &(0..partitions).map(event).collect::<Vec<_>>())
    }

    /// Waits until the job has done all there is, ends it, and compares what it wrote with the answer key and with the
    /// naive model of the topic.
    pub(crate) fn compare(
        &mut self,
        partitions: u32,
        answers: Option<Vec<ResultRow>>,
        mut jobs: Supervisor,
    ) -> Result<(), Trouble> {
        let mut raw = Reader::new(&self.suite.broker, &self.names.raw, partitions)?;
        let expected = model::judge(partitions, jobs.plan.lateness_minutes, raw.catch_up()?);
        if let Some(answers) = answers {
            let same = compare(answers.iter().map(row_text), expected.rows.iter().map(row_text));
            self.take("the answer key, against the events that lie in the topic", same);
        }
        let outputs = Outputs::open(self, &jobs.plan.names)?;
        let outputs = self.wait_until_done(&mut jobs, &raw.ends()?, &expected, outputs)?;
        self.say("comparing");
        jobs.terminate(&mut self.tally)?;
        self.compare_all(&expected, &jobs.plan.names, outputs)?;
        if jobs.plan.recovers {
            self.compare_totals(partitions, &jobs.plan.names, expected.totals)?;
        }
        Ok(())
    }

    fn wait_until_done(
        &mut self,
        jobs: &mut Supervisor,
        ends: &[i64],
        expected: &Expected,
        mut outputs: Outputs,
    ) -> Result<Outputs, Trouble> {
        self.say("waiting until the job has done all");
        let Names { group, raw, .. } = &jobs.plan.names;
        let records = ResumeRecords::new(&self.suite.broker, group, raw)?;
        let partitions = ends.len() as u32;
        let recovers = jobs.plan.recovers;
        let mut ask_at = Instant::now();
        let is_done = |_: &kit::job::Job| {
            if Instant::now() < ask_at {
                return Ok(false);
            }
            ask_at = Instant::now() + ASK_EVERY;
            if recovers {
                let Some(records) = records.read_all(partitions)? else { return Ok(false) };
                if records.iter().zip(ends).any(|(record, end)| record.position < *end) {
                    return Ok(false);
                }
            }
            outputs.has_all(expected)
        };
        jobs.run_until("positions at the topic's end, and every row", PATIENCE, &mut self.tally, is_done)?;
        Ok(outputs)
    }

    fn compare_all(&mut self, expected: &Expected, names: &Names, mut outputs: Outputs) -> Result<(), Trouble> {
        let rows = || expected.rows.iter().map(row_text);
        let (finals, wrong) = verify::topic_rows(outputs.results.catch_up()?);
        self.take("results topic", compare(rows(), finals));
        self.take("results topic", Comparison { compared: 0, differences: wrong });
        let stored = self.suite.dynamo.final_rows(&names.table)?;
        self.take("DynamoDB", compare(expected.last_rows().map(row_text), stored.iter().map(row_text)));
        for (topic, reader, expected) in [
            ("late topic", &mut outputs.late, &expected.late),
            ("rejected topic", &mut outputs.rejected, &expected.rejected),
        ] {
            let (mut found, mut wrong) = (Vec::new(), Vec::new());
            for record in reader.catch_up()? {
                match verify::kept(record) {
                    Ok(kept) => found.push(kept),
                    Err(sentence) => wrong.push(sentence),
                }
            }
            self.take(topic, compare(expected.iter().cloned(), found));
            self.take(topic, Comparison { compared: 0, differences: wrong });
        }
        Ok(())
    }

    /// Compares the totals in the resume records.
    pub(crate) fn compare_totals(&mut self, partitions: u32, names: &Names, expected: Totals) -> Result<(), Trouble> {
        let records = ResumeRecords::new(&self.suite.broker, &names.group, &names.raw)?;
        let Some(records) = records.read_all(partitions)? else {
            self.tally.find("a partition has no resume record");
            return Ok(());
        };
        let totals: Totals = records.iter().map(|record| record.totals).sum();
        if !totals.is_balanced() {
            self.tally.find(format!("the totals do not balance: {totals:?}"));
        }
        if totals != expected {
            self.tally.find(format!("the totals are {totals:?}, not {expected:?}"));
        }
        Ok(())
    }

    /// Takes note of a comparison.
    pub(crate) fn take(&mut self, what: &str, comparison: Comparison) {
        self.tally.compared += comparison.compared;
        for difference in comparison.differences {
            self.tally.find(format!("{what}: {difference}"));
        }
    }
}

fn outputs(names: &Names) -> [(&str, u32); 3] {
    [&names.results, &names.late, &names.rejected].map(|name| (name.as_str(), OUTPUT_PARTITIONS))
}

/// The topics that the job writes to.
struct Outputs {
    results: Reader,
    late: Reader,
    rejected: Reader,
}

impl Outputs {
    fn open(stage: &Stage<'_>, names: &Names) -> Result<Self, Trouble> {
        let open = |topic: &str| Reader::new(&stage.suite.broker, topic, OUTPUT_PARTITIONS);
        let Names { results, late, rejected, .. } = names;
        Ok(Outputs { results: open(results)?, late: open(late)?, rejected: open(rejected)? })
    }

    /// Whether there are as many different rows, and as many records, as there must be.
    fn has_all(&mut self, expected: &Expected) -> Result<bool, Trouble> {
        let rows: BTreeSet<String> = verify::topic_rows(self.results.catch_up()?).0.into_iter().collect();
        Ok(rows.len() >= expected.rows.len()
            && self.late.catch_up()?.len() >= expected.late.len()
            && self.rejected.catch_up()?.len() >= expected.rejected.len())
    }
}
