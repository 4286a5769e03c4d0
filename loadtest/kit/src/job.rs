//! The job as a child process: its flags, its log lines, its end. What tests know of the program's command line and log
//! stands here, and what they know of its resume records in the crash suite.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Trouble, dynamo, processes};

/// Exit code: start it again.
pub const RESTART: i32 = 75;
/// Exit code: the broker or the store is not reached.
pub const UNAVAILABLE: i32 = 69;
/// Exit code: another one has taken over, do not start it again.
pub const REFUSED: i32 = 78;

/// The job's `--out-of-orderness`, which is its default.
pub const OUT_OF_ORDERNESS_MILLIS: i64 = 10_000;
/// How long a transaction may last where a scenario waits for its end: short, for a test does not wait a minute.
pub const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(3);
/// The client's properties for that. A record must not be waited for longer than its transaction lasts.
pub const SHORT_TRANSACTIONS: [&str; 2] = ["transaction.timeout.ms=3000", "delivery.timeout.ms=3000"];

/// A recovery, as the job's log tells it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recovery {
    /// The job epoch that began.
    pub epoch: u64,
    /// From the start of the process to the end of the replay.
    pub took: Duration,
    /// How many records were read again.
    pub replayed: u64,
}

/// What a job is started with.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program.
    pub program: PathBuf,
    /// Where Kafka is reached.
    pub bootstrap: String,
    /// Where DynamoDB is reached.
    pub store: SocketAddr,
    /// Topics, group and table.
    pub names: Names,
    /// Workers of each process.
    pub workers: u32,
    /// Processes; with more than one, the job is its own supervisor.
    pub processes: u32,
    /// Whether rows go into the table too.
    pub has_table: bool,
    /// `--max-partition-skew`, where it is not the default.
    pub max_partition_skew: Option<u32>,
    /// For how many minutes after its end a window takes events on.
    pub lateness_minutes: u32,
    /// How long a partition is silent before it does not hold the others up.
    pub idle_timeout: &'static str,
    /// Properties of the Kafka client.
    pub properties: Vec<&'static str>,
    /// Whether the program knows recovery.
    pub recovers: bool,
    /// Further flags, behind all others.
    pub flags: Vec<String>,
}

/// The names of what belongs to one scenario alone.
#[derive(Clone, Debug)]
pub struct Names {
    /// The scenario.
    pub scenario: String,
    /// Topic of raw events.
    pub raw: String,
    /// Topic of rows.
    pub results: String,
    /// Topic of late records.
    pub late: String,
    /// Topic of rejected records.
    pub rejected: String,
    /// Group, and part of the transactional id.
    pub group: String,
    /// DynamoDB table.
    pub table: String,
}

impl Names {
    /// The names of a scenario.
    pub fn of(scenario: &str) -> Self {
        let name = |what: &str| format!("{scenario}-{what}");
        Names {
            scenario: scenario.to_owned(),
            raw: name("raw"),
            results: name("results"),
            late: name("late"),
            rejected: name("rejected"),
            group: name("group"),
            table: name("table"),
        }
    }

    /// The names of another job on the same events, with everything else of its own.
    pub fn of_reader(&self, reader: &str) -> Self {
        Names { raw: self.raw.clone(), ..Names::of(&format!("{}-{reader}", self.scenario)) }
    }
}

impl Plan {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["run", "--source", "kafka", "--sink", "kafka"]);
        if self.has_table {
            command.args(["--sink", "dynamodb", "--create-table", "--dynamodb-table", &self.names.table]);
        }
        if let Some(windows) = self.max_partition_skew {
            command.args(["--max-partition-skew", &windows.to_string()]);
        }
        command.args(["--admin-addr", "off", "--log-format", "text"]);
        command.args(["--kafka-bootstrap-servers", &self.bootstrap]);
        command.args(["--input-topic", &self.names.raw, "--output-topic", &self.names.results]);
        command.args(["--late-topic", &self.names.late, "--rejected-topic", &self.names.rejected]);
        command.args(["--workers", &self.workers.to_string()]);
        if self.recovers {
            command.args(["--delivery", "exactly-once", "--environment", "loadtest", "--group", &self.names.group]);
            command.args(["--allowed-lateness", &format!("{}m", self.lateness_minutes)]);
            command.args(["--on-all-idle", "freeze", "--idle-timeout", self.idle_timeout]);
        }
        if self.processes > 1 {
            command.args(["--processes", &self.processes.to_string()]);
        }
        for property in &self.properties {
            command.args(["--kafka-config", property]);
        }
        command.args(&self.flags);
        command.envs(dynamo::ENVIRONMENT).env("AWS_ENDPOINT_URL_DYNAMODB", format!("http://{}", self.store));
        command.env("RUST_LOG", "warn,dataflow=info").env_remove("FOOTFALL_LOG_FORMAT");
        command
    }
}

enum Event {
    Line(String),
    Exit(ExitStatus),
}

/// A running job, or one that has ended.
pub struct Job {
    /// The process, and the group of it and its children.
    pub pid: u32,
    /// How it ended.
    pub exit: Option<ExitStatus>,
    /// The recoveries it told of since this was last emptied.
    pub recoveries: Vec<Recovery>,
    /// Log lines that tell of a panic, since this was last emptied: a job that supervises itself survives them.
    pub panics: Vec<String>,
    /// The epoch in which it has begun to do new work; 0 = it has not.
    pub epoch: u64,
    /// The last line of its log.
    pub last_line: String,
    events: Receiver<Event>,
}

impl Job {
    /// Starts a job, whose log is added to a file.
    pub fn start(plan: &Plan, log: &Path) -> Result<Self, Trouble> {
        let mut log = OpenOptions::new().create(true).append(true).open(log)?;
        let mut command = plan.command();
        writeln!(log, "---- {command:?}")?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(Stdio::piped());
        // A group of its own: a signal can reach it with its children, and Ctrl-C at the terminal does not.
        let mut child = command.process_group(0).spawn()?;
        let pid = child.id();
        processes::register(pid);
        let (sender, events) = mpsc::channel();
        if let Some(stderr) = child.stderr.take() {
            let sender = sender.clone();
            thread::spawn(move || forward_lines(stderr, log, &sender));
        }
        thread::spawn(move || forward_exit(child, &sender));
        let (recoveries, panics) = (Vec::new(), Vec::new());
        Ok(Job { pid, exit: None, recoveries, panics, epoch: 0, last_line: String::new(), events })
    }

    /// Takes note of what the job says, until it says something, ends, or the time is over.
    pub fn listen(&mut self, limit: Duration) {
        match self.events.recv_timeout(limit) {
            Ok(event) => self.note(event),
            Err(RecvTimeoutError::Timeout) => {}
            // Ended, and nobody holds its log any more: nothing more will come.
            Err(RecvTimeoutError::Disconnected) => thread::sleep(limit),
        }
        while let Ok(event) = self.events.try_recv() {
            self.note(event);
        }
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Exit(status) => self.exit = Some(status),
            Event::Line(line) => {
                if let Some(recovery) = recovery(&line) {
                    self.epoch = recovery.epoch;
                    // The very first start has nothing to recover from.
                    if recovery.epoch > 1 {
                        self.recoveries.push(recovery);
                    }
                } else if let Some(epoch) = number_after(&line, "first start, epoch ") {
                    self.epoch = epoch as u64;
                }
                if line.contains("panicked at") {
                    self.panics.push(line.clone());
                }
                self.last_line = line;
            }
        }
    }

    /// Listens until the job has ended, or the time is over.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        while self.exit.is_none() && Instant::now() < deadline {
            self.listen(Duration::from_millis(50));
        }
        self.exit
    }

    /// Sends a signal to the job and its children.
    pub fn signal(&self, name: &str) {
        if self.exit.is_none() {
            processes::signal_group(self.pid, name);
        }
    }
}

fn forward_lines(stderr: ChildStderr, mut log: File, sender: &Sender<Event>) {
    for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        let _ = writeln!(log, "{line}");
        if sender.send(Event::Line(line)).is_err() {
            // Nobody listens any more; the log is still written.
        }
    }
}

fn forward_exit(mut child: Child, sender: &Sender<Event>) {
    if let Ok(status) = child.wait() {
        let _ = sender.send(Event::Exit(status));
    }
}

/// Reads `recovered in 1.234 s: 41234 records replayed, epoch 7`.
fn recovery(line: &str) -> Option<Recovery> {
    let took = number_after(line, "recovered in ")?;
    let replayed = number_after(line, " s: ")? as u64;
    let epoch = number_after(line, "records replayed, epoch ")? as u64;
    Some(Recovery { epoch, took: Duration::try_from_secs_f64(took).ok()?, replayed })
}

fn number_after(line: &str, text: &str) -> Option<f64> {
    let (_, rest) = line.split_once(text)?;
    let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(rest.len());
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_is_read_from_the_log() {
        let line = "2026-01-01T00:00:00Z  INFO recovered in 1.234 s: 41234 records replayed, epoch 7";
        let expected = Recovery { epoch: 7, took: Duration::from_millis(1234), replayed: 41_234 };
        assert_eq!(recovery(line), Some(expected));
        assert_eq!(recovery("epoch 7, resuming at 2024-01-01T12:03:00Z"), None);
    }

    #[test]
    fn a_first_start_has_an_epoch_too() {
        assert_eq!(number_after("INFO first start, epoch 1", "first start, epoch "), Some(1.0));
    }
}
