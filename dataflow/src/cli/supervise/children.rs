//! The processes that a supervisor has started.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::NamedTempFile;

use super::command::CommandLine;
use crate::error::Error;

/// All processes of one start.
pub(super) struct Children {
    children: Vec<(Child, Option<ExitStatus>)>,
    /// The addresses of the processes; to be kept as long as one may read it.
    _hosts: Option<NamedTempFile>,
}

/// How a process has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    process: usize,
    pub(super) status: ExitStatus,
}

impl Ended {
    pub(super) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Whether it may have ended because another process was gone.
    pub(super) fn has_lost_another(&self) -> bool {
        self.code() == Some(i32::from(Error::Restart(String::new()).exit_code()))
    }

    pub(super) fn was_ended_by(&self, signal: Signal) -> bool {
        self.status.signal() == Some(signal.as_raw())
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} ", self.process)?;
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => write!(f, "ended with exit code {code}"),
            (None, Some(signal)) => write!(f, "was ended by signal {signal}"),
            (None, None) => write!(f, "ended ({})", self.status),
        }
    }
}

impl Children {
    /// Starts all processes, on ports that are free now.
    ///
    /// # Errors
    /// When one cannot be started; those that were are ended again.
    pub(super) fn start(command: &CommandLine) -> Result<Self, Error> {
        let hosts = command.hosts()?;
        let mut started = Children { children: Vec::new(), _hosts: None };
        for process in 0..command.processes() {
            let child = command.process(process, hosts.as_ref().map(NamedTempFile::path)).spawn();
            let child =
                child.map_err(|error| Error::Unavailable(format!("cannot start process {process}: {error}")))?;
            started.children.push((child, None));
        }
        started._hosts = hosts;
        Ok(started)
    }

    /// Whether one has not ended.
    pub(super) fn are_running(&self) -> bool {
        self.running().next().is_some()
    }

    /// The exit codes of those that have ended by themselves.
    pub(super) fn codes(&self) -> impl Iterator<Item = i32> {
        self.children.iter().filter_map(|(_, status)| status.as_ref()?.code())
    }

    /// Those that have ended since this was last asked.
    pub(super) fn reap(&mut self) -> Result<Vec<Ended>, Error> {
        let mut ended = Vec::new();
        for (process, (child, status)) in self.children.iter_mut().enumerate() {
            if status.is_some() {
                continue;
            }
            let now = child.try_wait();
            *status = now.map_err(|error| Error::Internal(format!("cannot wait for process {process}: {error}")))?;
            ended.extend(status.map(|status| Ended { process, status }));
        }
        Ok(ended)
    }

    /// Passes a signal on.
    pub(super) fn signal(&self, signal: Signal) {
        // The number of a process that is not waited for belongs to no other.
        for pid in self.running().filter_map(|child| i32::try_from(child.id()).ok().and_then(Pid::from_raw)) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Ends all at once.
    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn running(&self) -> impl Iterator<Item = &Child> {
        self.children.iter().filter(|(_, status)| status.is_none()).map(|(child, _)| child)
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        self.kill();
        for (child, status) in &mut self.children {
            if status.is_none() {
                let _ = child.wait();
            }
        }
    }
}
