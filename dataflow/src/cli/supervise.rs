//! `dataflow run --processes N`: the processes of a job on one machine, started, watched and started again together.
//!
//! A process that ends takes the others with it, as none can do its work; they lose nothing but the time to take up
//! where the last commit was. What no restart can mend ends the whole program.

mod children;
mod command;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::Signal;
use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until};

use super::execute::INTERRUPTED;
use super::logging;
use crate::error::Error;
use children::{Children, Ended};
use command::CommandLine;
pub(super) use command::end_with_supervisor;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A job that has run for so long is healthy: its next failure is not another try.
const HEALTHY_AFTER: Duration = Duration::from_secs(60);
/// How long the others may take to notice that one has ended.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_secs(1);
/// A wrong command line, damaged input, another job in its place: not to be tried again.
const HOPELESS: [i32; 3] = [64, 65, 78];

/// Runs the job in `processes` processes until it ends, or is stopped; its exit code is that of the processes.
///
/// # Errors
/// When processes cannot be started or watched.
pub(super) fn supervise(processes: usize, admin_addr: Option<SocketAddr>) -> Result<ExitCode, Error> {
    let command = CommandLine::of_this_program(processes, admin_addr)?;
    // One thread, the main one: processes are told to end when the thread that started them does.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::Internal(format!("cannot start the runtime: {error}")))?;
    let code = runtime.block_on(async { Supervisor::new()?.run(&command).await })?;
    Ok(u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from))
}

struct Supervisor {
    stop: StopSignals,
    child_ended: SignalStream,
}

struct StopSignals {
    interrupt: SignalStream,
    terminate: SignalStream,
}

impl StopSignals {
    /// Waits until the program is asked to end, and says how.
    async fn recv(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.terminate.recv() => Signal::TERM,
        }
    }
}

/// What came of starting the processes.
enum Outcome {
    /// The program is to end, with this code.
    Over(i32),
    /// One has failed, and all have ended.
    Failed(Ended),
}

impl Supervisor {
    fn new() -> Result<Self, Error> {
        let listen = |kind| signal(kind).map_err(|error| Error::Internal(format!("cannot handle signals: {error}")));
        let (interrupt, terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        Ok(Supervisor { stop: StopSignals { interrupt, terminate }, child_ended: listen(SignalKind::child())? })
    }

    async fn run(&mut self, command: &CommandLine) -> Result<i32, Error> {
        let mut pause = FIRST_PAUSE;
        loop {
            let started = Instant::now();
            let ended = match self.run_once(command).await? {
                Outcome::Over(code) => return Ok(code),
                Outcome::Failed(ended) => ended,
            };
            if started.elapsed() >= HEALTHY_AFTER {
                pause = FIRST_PAUSE;
            }
            let them = match command.processes() {
                1 => "it".to_owned(),
                processes => format!("all {processes}"),
            };
            logging::note(&format!("{ended}; starting {them} again in {} s", pause.as_secs_f64()));
            tokio::select! {
                _ = self.stop.recv() => return Ok(0),
                () = sleep(pause) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Starts all processes and waits until all have ended.
    async fn run_once(&mut self, command: &CommandLine) -> Result<Outcome, Error> {
        let mut children = Children::start(command)?;
        let mut first_to_fail: Option<Ended> = None;
        let mut kill_at = None;
        let mut stopped_with = None;
        while children.are_running() {
            tokio::select! {
                _ = self.child_ended.recv() => {}
                stop = self.stop.recv() => match stopped_with {
                    None => {
                        stopped_with = Some(stop);
                        children.signal(stop);
                    }
                    Some(_) => {
                        children.kill();
                        return Ok(Outcome::Over(INTERRUPTED));
                    }
                },
                () = sleep_until(kill_at.unwrap_or_else(Instant::now)), if kill_at.is_some() => {
                    children.kill();
                    kill_at = None;
                }
            }
            for ended in children.reap()? {
                // Whoever was stopped before it could listen to signals was stopped as well.
                let is_stop = stopped_with.is_some_and(|stop| ended.was_ended_by(stop));
                if ended.status.success() || is_stop {
                    continue;
                }
                // One that ends because it has lost another is not worth a word if that one has failed.
                if first_to_fail.is_none_or(|first| first.has_lost_another() && !ended.has_lost_another()) {
                    first_to_fail = Some(ended);
                }
                if stopped_with.is_none() && kill_at.is_none() {
                    kill_at = Some(Instant::now() + PATIENCE_WITH_OTHERS);
                }
            }
        }
        let Some(failed) = first_to_fail else { return Ok(Outcome::Over(0)) };
        if let Some(hopeless) = children.codes().find(|code| HOPELESS.contains(code)) {
            return Ok(Outcome::Over(hopeless));
        }
        if stopped_with.is_some() {
            return Ok(Outcome::Over(failed.code().unwrap_or(INTERRUPTED)));
        }
        Ok(Outcome::Failed(failed))
    }
}
