//! A job that is started again and again over the same topics, and what must come of it in the end.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dataflow::commit::record::ResumeRecord;
use dataflow::kafka::{CommittedOffset, Group, KafkaArgs};
use schemas::{EventTime, ResultRow};

use crate::broker::Broker;
use crate::program::{dataflow, signal, wait};
use crate::topics::Topics;

/// How long a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);
/// How long a job may take to end that was asked to.
const END: Duration = Duration::from_secs(20);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Looks until there is an answer.
///
/// # Panics
/// When there is none in time; `what` was waited for.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "it never came about: {what}");
        std::thread::sleep(LOOK);
    }
}

/// A job: its topics, its group, its flags.
pub(crate) struct Job<'a> {
    pub(crate) broker: &'a Broker,
    pub(crate) topics: Topics,
    pub(crate) group: String,
    partitions: u32,
    flags: Vec<String>,
    environment: Vec<(String, String)>,
}

impl<'a> Job<'a> {
    /// With topics of its own, whose names and whose group begin with the test's; rows go to Kafka.
    pub(crate) fn new(broker: &'a Broker, test: &str, partitions: u32) -> Self {
        let topics = Topics::create(broker, test, partitions.try_into().unwrap());
        let mut flags = vec!["--sink".to_owned(), "kafka".to_owned()];
        flags.extend(topics.flags().into_iter().map(str::to_owned));
        Job { broker, topics, group: format!("group-{test}"), partitions, flags, environment: Vec::new() }
    }

    /// With more flags, whenever it is started.
    pub(crate) fn with(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    /// With more variables.
    pub(crate) fn with_environment(mut self, variables: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        self.environment.extend(variables.into_iter().map(|(name, value)| (name.to_owned(), value)));
        self
    }

    /// The topic has got more partitions.
    pub(crate) fn grown_to(&mut self, partitions: u32) {
        self.partitions = partitions;
    }

    pub(crate) fn command(&self, more: &[&str]) -> Command {
        let mut command = dataflow(self.broker, &["run", "--admin-addr", "off"]);
        // As a variable, so that a flag can say otherwise.
        command.env("FOOTFALL_GROUP", &self.group);
        command.args(&self.flags).args(more).envs(self.environment.iter().cloned());
        command
    }

    /// Starts it; these flags are for this start.
    pub(crate) fn start(&self, more: &[&str]) -> Running {
        Running::start(&mut self.command(more))
    }

    /// What the group has, for each partition.
    pub(crate) fn commits(&self) -> Vec<Option<CommittedOffset>> {
        let args = KafkaArgs { bootstrap_servers: Some(self.broker.bootstrap().to_owned()), ..KafkaArgs::default() };
        Group::connect(&args, &self.group, &self.topics.raw).unwrap().committed(self.partitions).unwrap()
    }

    /// The resume records.
    pub(crate) fn records(&self) -> Vec<ResumeRecord> {
        self.commits().into_iter().flatten().map(|commit| commit.metadata.parse().unwrap()).collect()
    }

    /// Waits until the resume records are so, while the job runs.
    pub(crate) fn until(&self, running: &mut Running, what: &str, is_so: impl Fn(&[ResumeRecord]) -> bool) {
        until(what, || {
            running.must_run();
            let records = self.records();
            (!records.is_empty() && is_so(&records)).then_some(())
        });
    }

    /// Waits until the job has read, and committed, so many records, or more.
    pub(crate) fn until_read(&self, running: &mut Running, records: usize) {
        self.until(running, &format!("{records} records read"), |found| positions(found) >= records as u64);
    }

    /// Waits until everything before this time is closed.
    pub(crate) fn until_closed(&self, running: &mut Running, time: &str) {
        let wanted = EventTime::parse(time.as_bytes()).unwrap();
        self.until(running, time, |records| closed_through(records) >= Some(wanted));
    }
}

/// How many records were read, where no transaction has left marks in the topic.
pub(crate) fn positions(records: &[ResumeRecord]) -> u64 {
    records.iter().map(|record| record.position.0).sum()
}

/// The highest W of all partitions.
pub(crate) fn closed_through(records: &[ResumeRecord]) -> Option<EventTime> {
    records.iter().filter_map(|record| record.closed_through).max()
}

/// The epoch of all records.
pub(crate) fn epoch(records: &[ResumeRecord]) -> u64 {
    records.iter().map(|record| record.epoch).max().unwrap_or(0)
}

/// The program while it runs. What it says is kept. It is killed where the test ends before.
pub(crate) struct Running {
    child: Child,
    said: Arc<Mutex<String>>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

/// How the program has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
}

impl Ended {
    /// The last line, which says why.
    pub(crate) fn last_line(&self) -> &str {
        self.said.trim_end().lines().next_back().unwrap_or_default()
    }

    /// Fails unless it has ended with this code, and the last line has all these words.
    pub(crate) fn expect(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.said);
        for word in words {
            assert!(self.last_line().contains(word), "{word:?} is not in the last line:\n{}", self.said);
        }
    }
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let readers = vec![follow(stdout, Arc::default()), follow(stderr, Arc::clone(&said))];
        Running { child, said, readers }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Waits until it has said this so often.
    pub(crate) fn until_said(&mut self, text: &str, times: usize) {
        until(&format!("{text:?} said {times} times"), || {
            let is_said = self.said().matches(text).count() >= times;
            if !is_said {
                self.must_run();
            }
            is_said.then_some(())
        });
    }

    /// Fails where it has ended.
    pub(crate) fn must_run(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("it has ended with {status}: {}", self.said());
        }
    }

    /// Sends a signal such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Waits until it ends.
    pub(crate) fn ended(mut self, limit: Duration) -> Ended {
        let status = wait(&mut self.child, limit);
        self.readers.drain(..).for_each(|reader| reader.join().unwrap());
        Ended { code: status.code(), said: self.said() }
    }

    /// Asks it to end, which must go well.
    pub(crate) fn stop(self) -> Ended {
        self.signal("TERM");
        let ended = self.ended(END);
        assert_eq!(ended.code, Some(0), "{}", ended.said);
        ended
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn follow(pipe: impl Read + Send + 'static, said: Arc<Mutex<String>>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).unwrap_or(0) > 0 {
            said.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}

/// An event of one user and product of 2024-01-01, such as `("u1", "42", "12:00:30")`.
pub(crate) fn event(user: &str, product: &str, time: &str) -> String {
    format!(
        r#"{{"user_id":"{user}","product_id":"{product}","event_type":"VIEW_PRODUCT","timestamp":"2024-01-01T{time}Z"}}"#
    )
}

/// Rows by product and start of the window, with the count: what tests with events by hand compare.
pub(crate) fn counts(rows: &[ResultRow]) -> BTreeMap<(String, String), u64> {
    rows.iter().map(|row| ((row.product_id.clone(), row.window.start_text()), row.unique_user_count)).collect()
}
