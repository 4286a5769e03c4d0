//! A child process that lives no longer than its handle, nor than this process.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::process::{Child as StdChild, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::Error;

/// How long the server may take for each way to end: politely, then at once, then by the system.
const ESCALATION: [(Signal, Duration); 3] = [
    // PostgreSQL: fast shutdown, which cuts clients off.
    (Signal::INT, Duration::from_secs(20)),
    // Immediate shutdown; the next start recovers.
    (Signal::QUIT, Duration::from_secs(5)),
    (Signal::KILL, Duration::from_secs(5)),
];

/// The process, told to end when this is dropped.
#[derive(Debug)]
pub(super) struct Child {
    pid: Pid,
    end: Arc<End>,
}

/// How it has ended, once it has.
#[derive(Debug, Default)]
struct End {
    status: Mutex<Option<ExitStatus>>,
    came: Condvar,
}

impl Child {
    /// Starts the command with its output in `log`.
    ///
    /// The system tells the child to end when the *thread* that started it ends, so that is one which lives exactly as
    /// long as the child: it waits for it.
    pub(super) fn spawn(mut command: Command, log: File) -> Result<Self, Error> {
        let failed = || Error::io("start postgres");
        let errors = log.try_clone().map_err(failed())?;
        // In a group of its own: Ctrl-C reaches every process of the terminal's group, and the server is to end last.
        command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0);
        let (started, start) = mpsc::sync_channel(1);
        let end = Arc::new(End::default());
        let at_end = Arc::clone(&end);
        let run = move || match command.spawn() {
            Ok(child) => {
                let told = started.send(Ok(child.id()));
                // Whoever does not listen any more has no handle by which to end the child.
                if told.is_ok() {
                    at_end.wait_for(child);
                }
            }
            Err(error) => drop(started.send(Err(error))),
        };
        thread::Builder::new().name("postgres".to_owned()).spawn(run).map_err(failed())?;
        let id = match start.recv() {
            Ok(result) => result.map_err(failed())?,
            Err(_) => return Err(failed()(std::io::Error::other("its thread has ended"))),
        };
        let pid = Pid::from_raw(id.cast_signed()).ok_or_else(|| failed()(std::io::Error::other("it has no id")))?;
        Ok(Child { pid, end })
    }

    /// The process.
    pub(super) const fn process_id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// How it has ended; none: it runs.
    pub(super) fn ended(&self) -> Option<ExitStatus> {
        *self.end.status()
    }

    /// Ends it and waits until it has ended.
    ///
    /// # Errors
    /// Where it had ended by itself.
    pub(super) fn stop(&self) -> Result<(), Error> {
        if let Some(status) = self.ended() {
            return Err(Error::Program { program: "postgres", said: format!("it had ended before ({status})") });
        }
        self.end_now();
        Ok(())
    }

    fn end_now(&self) {
        let mut status = self.end.status();
        for (signal, patience) in ESCALATION {
            if status.is_some() {
                return;
            }
            // Not ended, and not waited for while the guard is held: the number is still its own.
            if let Err(error) = kill_process(self.pid, signal) {
                tracing::warn!(%error, process = self.process_id(), "cannot end postgres");
            }
            let wait = self.end.came.wait_timeout_while(status, patience, |status| status.is_none());
            status = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        if status.is_none() {
            tracing::error!(process = self.process_id(), "postgres does not end");
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end_now();
    }
}

impl End {
    fn status(&self) -> MutexGuard<'_, Option<ExitStatus>> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the child. Its number is given back to the system under the lock, so that nobody sends a signal to the
    /// next one who gets it.
    fn wait_for(&self, mut child: StdChild) {
        if let Some(pid) = Pid::from_raw(child.id().cast_signed()) {
            // Also an interrupted wait only means that the next one takes longer.
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        }
        let mut status = self.status();
        match child.wait() {
            Ok(ended) => *status = Some(ended),
            Err(error) => tracing::error!(%error, "cannot wait for postgres"),
        }
        drop(status);
        self.came.notify_all();
    }
}
