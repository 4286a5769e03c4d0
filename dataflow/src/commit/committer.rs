//! The committer: a thread through which all output passes that comes from one writer, and every resume record.
//!
//! It gathers output and markers until a window closes, or the commit interval is over, and then makes them durable
//! together: first the sinks that cannot take part in a transaction, then the home of the records, with what output it
//! takes. A transaction is open only while it is being written, so a slow sink or table never times one out. Until it has
//! happened, everything is kept, so that what was aborted is sent again.

use std::mem;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use schemas::ResultRow;

use super::home::{Failure, Home, Output};
use super::ledger::Ledger;
use super::marker::Marker;
use crate::control::Control;
use crate::distinct::Time;
use crate::error::Error;
use crate::metrics::CommitMetrics;
use crate::partitions::Partitions;
use crate::record::Quarantined;
use crate::sink::Sink;
use crate::sink::thread::Receipt;

/// All records are written again after this time, although nothing has changed: those of a group without members expire
/// 7 days after they were written, by default.
const REFRESH: Duration = Duration::from_secs(600);
/// How often it is looked whether the job has failed, while the last commit is waited for.
const LOOK_FOR_FAILURE: Duration = Duration::from_millis(100);
/// How often the home of the records is looked after.
const TEND_EVERY: Duration = Duration::from_secs(1);
/// A commit does not wait for its time when so much is waiting for it.
const MAX_WAITING_BYTES: usize = 8 << 20;
/// About what a row takes.
const ROW_BYTES: usize = 128;
/// How often, and for how long, an aborted commit is tried again.
const MAX_ATTEMPTS: u32 = 5;

/// What the committer is given, in order.
enum Command {
    /// All rows before a time that were not given yet. Every row of an earlier window was given, and is durable in every
    /// other sink. One command, so that a commit has the rows and the word that they are durable, or neither.
    Closed(Time, Vec<(Vec<ResultRow>, Receipt)>),
    Live(Vec<ResultRow>),
    Quarantined(Vec<Quarantined>, Vec<Marker>, Receipt),
}

/// Resume records: where they live and what they are made of.
pub struct Resume {
    /// The home of the records.
    pub home: Box<dyn Home>,
    /// What they are made of.
    pub ledger: Ledger,
    /// How long output may wait for its commit.
    pub interval: Duration,
    /// What is told about commits.
    pub metrics: CommitMetrics,
    /// When the job was started, and what it reads; until it has caught up.
    pub recovery: Option<(Instant, Arc<Partitions>)>,
}

/// A sink and what it takes.
pub struct Destination {
    /// The sink.
    pub sink: Box<dyn Sink>,
    /// Whether it takes rows.
    pub takes_rows: bool,
    /// Whether it takes late and rejected records.
    pub takes_quarantined: bool,
}

/// The running committer.
pub struct CommitterThread {
    commands: Sender<Command>,
    ended: Receiver<Committer>,
}

/// Gives output to the committer.
#[derive(Clone)]
pub struct CommitterHandle {
    commands: Sender<Command>,
    control: Arc<Control>,
}

impl CommitterHandle {
    /// Gives the final rows of all times before `first_open` that it was not given yet, in order. In every other sink
    /// they are durable.
    pub fn close(&self, first_open: Time, rows: Vec<(Vec<ResultRow>, Receipt)>) {
        rows.iter().for_each(|_| self.control.handed_to_sink());
        self.send(Command::Closed(first_open, rows));
    }

    /// Gives rows of open windows.
    pub fn write_live(&self, rows: Vec<ResultRow>) {
        self.send(Command::Live(rows));
    }

    /// Gives late and rejected records, and markers that lie behind them.
    pub fn write_quarantined(&self, records: Vec<Quarantined>, markers: Vec<Marker>, receipt: Receipt) {
        self.control.handed_to_sink();
        self.send(Command::Quarantined(records, markers, receipt));
    }

    fn send(&self, command: Command) {
        // A committer that has gone has failed, and with it the job: nobody waits for the receipt.
        let _ = self.commands.send(command);
    }
}

impl CommitterThread {
    /// Starts the thread. A failing sink or commit fails the job.
    ///
    /// # Errors
    /// When the system has no thread for it.
    pub fn spawn(
        destinations: Vec<Destination>,
        resume: Option<Resume>,
        control: &Arc<Control>,
    ) -> Result<(Self, CommitterHandle), Error> {
        let (commands, received) = mpsc::channel();
        let (end, ended) = mpsc::sync_channel(1);
        let handle = CommitterHandle { commands: commands.clone(), control: Arc::clone(control) };
        let control = Arc::clone(control);
        let run = move || {
            let mut committer = Committer { destinations, resume, control, waiting: Waiting::default() };
            if let Err(error) = committer.run(&received) {
                committer.control.fail(error);
            }
            // Nobody waits for the committer of a job that has failed for longer than a moment.
            let _ = end.send(committer);
        };
        thread::Builder::new()
            .name("committer".to_owned())
            .spawn(run)
            .map_err(|error| Error::Internal(format!("cannot start a thread: {error}")))?;
        Ok((CommitterThread { commands, ended }, handle))
    }

    /// Waits until everything is written, or the job has failed: a last commit can take long where a broker is lost.
    ///
    /// # Errors
    /// The job's failure, or that the thread has panicked.
    pub fn join(self, control: &Control) -> Result<Committer, Error> {
        drop(self.commands);
        loop {
            match self.ended.recv_timeout(LOOK_FOR_FAILURE) {
                Ok(committer) => return Ok(committer),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::Internal("the committer panicked; please report it".to_owned()));
                }
                Err(RecvTimeoutError::Timeout) => control.failure().map_or(Ok(()), |failure| Err(failure.clone()))?,
            }
        }
    }

    /// Lets go of it, unless it is busy for longer than `patience`. Sinks take back what they have not completed.
    pub fn abandon(self, patience: Duration) {
        drop(self.commands);
        let _ = self.ended.recv_timeout(patience);
    }
}

/// Writes and commits.
pub struct Committer {
    destinations: Vec<Destination>,
    resume: Option<Resume>,
    control: Arc<Control>,
    waiting: Waiting,
}

/// What was given and is not committed.
#[derive(Default)]
struct Waiting {
    outputs: Vec<Output>,
    receipts: Vec<Receipt>,
    bytes: usize,
    closed: Option<Time>,
    /// Live counts have waited for their interval: they go at once.
    has_live: bool,
    since: Option<Instant>,
}

impl Committer {
    /// Completes every output.
    ///
    /// # Errors
    /// When completing fails.
    pub fn finish(self) -> Result<(), Error> {
        self.destinations.into_iter().try_for_each(|destination| destination.sink.finish())
    }

    fn run(&mut self, commands: &Receiver<Command>) -> Result<(), Error> {
        let (mut refreshed, mut tended) = (Instant::now(), Instant::now());
        loop {
            let is_over = match commands.recv_timeout(self.patience()) {
                Ok(command) => {
                    self.take(command);
                    // Whatever else is there goes into the same commit.
                    while self.waiting.bytes < MAX_WAITING_BYTES
                        && let Ok(command) = commands.try_recv()
                    {
                        self.take(command);
                    }
                    false
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            if self.control.failure().is_some() {
                return Ok(());
            }
            if tended.elapsed() >= TEND_EVERY {
                tended = Instant::now();
                self.resume.iter_mut().try_for_each(|resume| resume.home.tend())?;
            }
            if refreshed.elapsed() >= REFRESH {
                refreshed = Instant::now();
                self.waiting.since.get_or_insert(refreshed);
                self.resume.iter_mut().for_each(|resume| resume.ledger.touch_all());
            }
            if is_over || self.is_due() {
                self.commit()?;
            }
            if is_over {
                return Ok(());
            }
        }
    }

    fn take(&mut self, command: Command) {
        let waiting = &mut self.waiting;
        waiting.since.get_or_insert_with(Instant::now);
        match command {
            Command::Closed(first_open, times) => {
                waiting.closed = Some(first_open);
                for (rows, receipt) in times {
                    waiting.bytes += rows.len() * ROW_BYTES;
                    let revision = rows.iter().map(|row| row.revision).max().unwrap_or(0);
                    self.resume.iter_mut().for_each(|resume| resume.ledger.note_revision(revision));
                    waiting.outputs.push(Output::Rows(rows));
                    waiting.receipts.push(receipt);
                }
            }
            Command::Live(rows) => {
                waiting.bytes += rows.len() * ROW_BYTES;
                waiting.outputs.push(Output::Live(rows));
                waiting.has_live = true;
            }
            Command::Quarantined(records, markers, receipt) => {
                waiting.bytes += records.iter().map(Quarantined::bytes).sum::<usize>();
                if let Some(resume) = &mut self.resume {
                    markers.into_iter().for_each(|marker| resume.ledger.take(marker));
                }
                if !records.is_empty() {
                    waiting.outputs.push(Output::Quarantined(records));
                }
                waiting.receipts.push(receipt);
            }
        }
    }

    /// How long to wait for more.
    fn patience(&self) -> Duration {
        match (&self.resume, self.waiting.since) {
            (Some(resume), Some(since)) => resume.interval.saturating_sub(since.elapsed()).min(TEND_EVERY),
            _ => TEND_EVERY,
        }
    }

    fn is_due(&self) -> bool {
        let Some(since) = self.waiting.since else { return false };
        let Some(resume) = &self.resume else { return true };
        let has_recovered = resume.recovery.is_some() && resume.ledger.has_caught_up();
        self.waiting.closed.is_some()
            || self.waiting.has_live
            || has_recovered
            || self.control.is_stopping()
            || self.waiting.bytes >= MAX_WAITING_BYTES
            || since.elapsed() >= resume.interval
    }

    fn commit(&mut self) -> Result<(), Error> {
        let Waiting { outputs, receipts, closed, .. } = mem::take(&mut self.waiting);
        for destination in &mut self.destinations {
            destination.write(&outputs)?;
        }
        if let Some(resume) = &mut self.resume {
            if let Some(first_open) = closed {
                resume.ledger.close(first_open);
            }
            resume.commit(&outputs, &self.control)?;
            self.control.set_committed(resume.ledger.first_open());
        }
        for receipt in receipts {
            receipt.hand_over(&self.control);
        }
        Ok(())
    }
}

impl Destination {
    fn write(&mut self, outputs: &[Output]) -> Result<(), Error> {
        for output in outputs {
            match output {
                Output::Rows(rows) if self.takes_rows => self.sink.write_rows(rows)?,
                Output::Live(rows) if self.takes_rows => self.sink.write_live(rows)?,
                Output::Quarantined(records) if self.takes_quarantined => self.sink.write_quarantined(records)?,
                _ => {}
            }
        }
        self.sink.flush()
    }
}

impl Resume {
    fn commit(&mut self, outputs: &[Output], control: &Control) -> Result<(), Error> {
        let commits = self.ledger.take_commits();
        if commits.is_empty() && (outputs.is_empty() || !self.home.takes_output()) {
            return Ok(());
        }
        let mut attempt = 1;
        loop {
            match self.home.commit(outputs, &commits) {
                Ok(()) => break,
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Aborted(why)) if attempt >= MAX_ATTEMPTS || control.failure().is_some() => {
                    return Err(Error::Restart(format!(
                        "a commit was aborted {attempt} times, at last because {why}; the job goes on where its last \
                         commit was when it is started again"
                    )));
                }
                Err(Failure::Aborted(why)) => {
                    tracing::warn!(attempt, "a commit was aborted and is made again: {why}");
                    attempt += 1;
                    self.metrics.aborted.inc();
                }
            }
        }
        self.metrics.committed();
        self.look_for_recovery();
        Ok(())
    }

    /// Says, once, that the job is where its topic was when it started, and has committed that.
    fn look_for_recovery(&mut self) {
        let Some((started, partitions)) = self.recovery.take_if(|_| self.ledger.has_caught_up()) else { return };
        let elapsed = started.elapsed();
        let (replayed, epoch) = (partitions.totals().replayed, self.ledger.epoch());
        tracing::info!("recovered in {:.3} s: {replayed} records replayed, epoch {epoch}", elapsed.as_secs_f64());
        self.metrics.recovery.set(elapsed.as_secs_f64());
    }
}
