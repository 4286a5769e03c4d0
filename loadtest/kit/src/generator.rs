//! `dataflow generate` as a child process, and its answer key.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use schemas::{EventTime, ResultRow};
use serde_json::Value;

use crate::totals::Totals;
use crate::{Trouble, processes};

/// Noon of a day long past: event time runs ahead of nothing, and the same seed gives the same bytes.
pub const START: &str = "2024-01-01T12:00:00Z";
const MINUTE_MILLIS: i64 = 60_000;

/// What is generated.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// For how long.
    pub seconds: u64,
    /// Records per second.
    pub rate: u64,
    /// Event time per time on the wall.
    pub speed: u64,
    /// Partitions.
    pub partitions: u32,
    /// By which part each partition is smaller than the one before.
    pub skew: f64,
    /// Whether it takes that long, or is written as fast as possible.
    pub is_paced: bool,
    /// Products.
    pub products: u32,
    /// Users.
    pub users: u32,
    /// Which part comes late, and which part is malformed.
    pub odd_share: f64,
    /// Whether the answer key is written beside it.
    pub has_key: bool,
}

impl Default for Shape {
    /// A window closes each second.
    fn default() -> Self {
        Shape {
            seconds: 15,
            rate: 1500,
            speed: 60,
            partitions: 4,
            skew: 0.0,
            is_paced: true,
            products: 60,
            users: 800,
            odd_share: 0.02,
            has_key: true,
        }
    }
}

impl Shape {
    /// How many records there are.
    pub fn events(&self) -> u64 {
        self.rate * self.seconds
    }

    /// A time at which every generated window is over, for the events that close the last ones.
    pub fn closing_millis(&self) -> i64 {
        let start = EventTime::parse(START.as_bytes()).map_or(0, EventTime::millis);
        start + (self.seconds * self.speed * 1000).cast_signed() + 3 * MINUTE_MILLIS
    }
}

/// A generator that runs, or has ended.
pub struct Generator {
    /// What it makes.
    pub shape: Shape,
    child: Child,
    answers: PathBuf,
    summary: PathBuf,
}

impl Generator {
    /// Starts to write into a topic.
    pub fn start(
        program: &Path,
        shape: Shape,
        seed: u64,
        bootstrap: &str,
        topic: &str,
        folder: &Path,
    ) -> Result<Self, Trouble> {
        let (answers, summary) = (folder.join("answers.ndjson"), folder.join("summary.json"));
        let (rate, speed) = (shape.rate.to_string(), shape.speed.to_string());
        let duration = format!("{}s", shape.seconds * shape.speed);
        let time = match shape.is_paced {
            true => vec!["--rate", &rate, "--speed", &speed],
            false => vec!["--duration", &duration],
        };
        let odd = shape.odd_share.to_string();
        let key = match shape.has_key {
            true => {
                ["--answers".as_ref(), answers.as_os_str(), "--answers-summary".as_ref(), summary.as_os_str()].to_vec()
            }
            false => Vec::new(),
        };
        let child = Command::new(program)
            .args(["generate", "--to", "kafka", "--kafka-bootstrap-servers", bootstrap, "--topic", topic])
            .args(["--start", START, "--seed", &seed.to_string(), "--events", &shape.events().to_string()])
            .args(time)
            .args(["--partitions", &shape.partitions.to_string(), "--partition-skew", &shape.skew.to_string()])
            .args(["--products", &shape.products.to_string(), "--users", &shape.users.to_string()])
            .args(["--late-share", &odd, "--malformed-share", &odd])
            .args(key)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.join("generate.log"))?)
            .process_group(0)
            .spawn()?;
        processes::register(child.id());
        Ok(Generator { shape, child, answers, summary })
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, Trouble> {
        Ok(self.child.try_wait()?)
    }

    /// Fails unless the generator has ended well.
    pub fn expect_success(&mut self) -> Result<(), Trouble> {
        match self.ended()? {
            Some(status) if status.success() => Ok(()),
            status => Err(format!("the generator failed ({status:?}); see generate.log").into()),
        }
    }

    /// What has to become of the records, once the generator has ended.
    pub fn totals(&self) -> Result<Totals, Trouble> {
        let summary: Value = serde_json::from_slice(&fs::read(&self.summary)?)?;
        let number = |name: &str| summary[name].as_u64().ok_or_else(|| format!("the summary has no number {name}"));
        let reasons = summary["rejected"].as_object().ok_or("the summary has no reasons")?;
        let rejected = reasons.values().filter_map(Value::as_u64).sum();
        let (received, counted) = (number("received")?, number("counted")?);
        Ok(Totals { received, counted, late: number("late")?, rejected, filtered: number("filtered")? })
    }

    /// The rows that the job has to write, once the generator has ended.
    pub fn answers(&self) -> Result<Vec<ResultRow>, Trouble> {
        fs::read_to_string(&self.answers)?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        // A scenario that failed leaves it running.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An event as it is written into a topic.
pub fn event(user: &str, product: &str, millis: i64) -> String {
    let time = EventTime::from_millis(millis).unwrap_or(EventTime::MIN);
    format!(r#"{{"user_id":"{user}","product_id":"{product}","event_type":"VIEW_PRODUCT","timestamp":"{time}"}}"#)
}
