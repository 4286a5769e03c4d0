//! The same topic, read from its beginning by jobs that have nothing in common: one is killed all the time while the
//! events are being written, one hardly gets on, and three others find everything there already. All write the same bytes.

use std::time::{Duration, Instant};

use kit::Trouble;
use kit::generator::Shape;
use kit::job::{Names, Plan};
use kit::topic::{Reader, Record};
use schemas::{ResultRow, TopicRow};

use crate::stage::{OUTPUT_PARTITIONS, Stage};
use crate::supervisor::Supervisor;
use crate::verify::{self, compare};

/// The slow job runs a fifth of the time.
const RUNS: Duration = Duration::from_millis(60);
const STANDS_STILL: Duration = Duration::from_millis(240);

pub(super) fn play(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let seconds = stage.pick(10, 40);
    let shape = Shape { seconds, partitions: 5, skew: 0.3, ..Shape::default() };
    let mut generator = stage.generate(shape)?;
    let mut killed = stage.supervise(stage.reader("killed")?)?;
    let slow = stage.supervise(Plan { properties: vec!["fetch.message.max.bytes=2000"], ..stage.reader("slow")? })?;
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while generator.ended()?.is_none() && Instant::now() < deadline {
        let before = stage.seconds(0.6, 1.8);
        let until = Instant::now() + before;
        while Instant::now() < until {
            slow.job.signal("CONT");
            killed.run_for(RUNS, &mut stage.tally)?;
            slow.job.signal("STOP");
            killed.run_for(STANDS_STILL, &mut stage.tally)?;
        }
        killed.kill(&mut stage.tally)?;
        killed.start_again()?;
    }
    slow.job.signal("CONT");
    stage.wait_for_generator(&mut generator, &mut killed)?;

    let (answers, mut written) = (generator.answers()?, Vec::new());
    let mut finish = |stage: &mut Stage<'_>, jobs: Supervisor| -> Result<(), Trouble> {
        let names = jobs.plan.names.clone();
        stage.compare(shape.partitions, Some(answers.clone()), jobs)?;
        written.push(Written::read(stage, &names)?);
        Ok(())
    };
    finish(stage, killed)?;
    finish(stage, slow)?;
    for (name, workers, processes) in [("one-worker", 1, 1), ("four-workers", 4, 1), ("three-processes", 1, 3)] {
        let jobs = stage.supervise(Plan { workers, processes, ..stage.reader(name)? })?;
        finish(stage, jobs)?;
    }

    stage.say("comparing byte for byte");
    let row = |row: &ResultRow| serde_json::to_string(&TopicRow { row: row.clone(), is_final: true });
    let rows: Vec<String> = answers.iter().map(row).collect::<Result<_, _>>()?;
    let [first, others @ ..] = &written[..] else { return Ok(()) };
    stage.take("bytes of the answer key", compare(rows, first.values.iter().cloned()));
    for other in others {
        let what = format!("bytes of {}, against {}", other.name, first.name);
        stage.take(&what, compare(&first.records, &other.records));
    }
    Ok(())
}

/// What a job has written.
struct Written {
    name: String,
    /// The values of final rows.
    values: Vec<String>,
    /// Everything of final rows, late and rejected records, but for offsets.
    records: Vec<String>,
}

impl Written {
    fn read(stage: &Stage<'_>, names: &Names) -> Result<Self, Trouble> {
        let read = |topic: &str| -> Result<Vec<Record>, Trouble> {
            Ok(Reader::new(&stage.suite.broker, topic, OUTPUT_PARTITIONS)?.catch_up()?.to_vec())
        };
        let results = read(&names.results)?;
        let finals = || verify::finals(&results);
        // The partition too: rows of a product must be in order.
        let mut records: Vec<_> =
            finals().map(|row| format!("row, partition {}, {}", row.partition, verify::bytes(row))).collect();
        for topic in [&names.late, &names.rejected] {
            let what = topic.trim_start_matches(&names.scenario);
            records.extend(read(topic)?.iter().map(|record| format!("{what}, {}", verify::bytes(record))));
        }
        let (name, values) = (names.scenario.clone(), finals().map(Record::text).collect());
        Ok(Written { name, values, records })
    }
}
