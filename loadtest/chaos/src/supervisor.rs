//! Plays the supervisor of a job: starts it again where its exit code asks for that, and notes what must not be.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use kit::Trouble;
use kit::job::{self, Job, Plan};

use crate::tally::Tally;

/// How long the end of a job in order may take: its last commit.
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// How long a start with its replay may take.
const START_LIMIT: Duration = Duration::from_secs(60);
const LISTEN: Duration = Duration::from_millis(50);
/// So many unexpected ends, and the scenario has failed.
const MOST_UNEXPECTED: u32 = 5;

/// One job and its successors.
pub(crate) struct Supervisor {
    /// What the next start uses.
    pub(crate) plan: Plan,
    /// The job that runs.
    pub(crate) job: Job,
    /// Whether the broker or the store is away: a job that is started now cannot be blamed for ending.
    pub(crate) has_outage: bool,
    log: PathBuf,
    unexpected: u32,
}

impl Supervisor {
    /// Starts the first job.
    pub(crate) fn start(plan: Plan, log: PathBuf) -> Result<Self, Trouble> {
        let job = Job::start(&plan, &log)?;
        Ok(Supervisor { plan, job, has_outage: false, log, unexpected: 0 })
    }

    /// Starts the job again, in the place of one that has ended. The former one is handed out.
    pub(crate) fn start_again(&mut self) -> Result<Job, Trouble> {
        Ok(std::mem::replace(&mut self.job, Job::start(&self.plan, &self.log)?))
    }

    /// Watches the job for a while, and starts it again whenever it asks for that.
    pub(crate) fn run_for(&mut self, time: Duration, tally: &mut Tally) -> Result<(), Trouble> {
        let deadline = Instant::now() + time;
        while let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            self.step(left.min(LISTEN), tally)?;
        }
        Ok(())
    }

    /// Watches the job until `is_done`, which is asked after each of its log lines and a few times a second.
    pub(crate) fn run_until(
        &mut self,
        what: &str,
        limit: Duration,
        tally: &mut Tally,
        mut is_done: impl FnMut(&Job) -> Result<bool, Trouble>,
    ) -> Result<bool, Trouble> {
        let deadline = Instant::now() + limit;
        loop {
            // A question to a broker that is away may fail, and be answered the next time.
            let answer = is_done(&self.job);
            if matches!(answer, Ok(true)) {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                let cause = answer.err().map(|trouble| format!(" ({trouble})")).unwrap_or_default();
                tally.find(format!("within {} s not reached: {what}{cause}", limit.as_secs()));
                return Ok(false);
            }
            self.step(LISTEN, tally)?;
        }
    }

    /// Watches the job until it does new work in an epoch above `epoch`.
    pub(crate) fn run_until_ready(&mut self, epoch: u64, tally: &mut Tally) -> Result<(), Trouble> {
        if !self.plan.recovers {
            return Ok(());
        }
        let what = format!("a job that has recovered into an epoch above {epoch}");
        match self.run_until(&what, START_LIMIT, tally, |job| Ok(job.epoch > epoch))? {
            true => Ok(()),
            // Every later step would wait as long for the same.
            false => Err("the job does not get ready".into()),
        }
    }

    fn step(&mut self, limit: Duration, tally: &mut Tally) -> Result<(), Trouble> {
        self.job.listen(limit);
        self.collect(tally);
        let Some(status) = self.job.exit else { return Ok(()) };
        let is_fine = match status.code() {
            Some(job::RESTART) => true,
            Some(job::UNAVAILABLE) => self.has_outage,
            _ => false,
        };
        if !is_fine {
            self.unexpected += 1;
            tally.find(format!("the job ended with {}: {}", ending(status), self.job.last_line));
            if self.unexpected >= MOST_UNEXPECTED || status.code() == Some(job::REFUSED) {
                return Err("the job does not keep running".into());
            }
        }
        self.start_again()?;
        Ok(())
    }

    /// Kills the job with its children, and waits for its end.
    pub(crate) fn kill(&mut self, tally: &mut Tally) -> Result<(), Trouble> {
        tally.faults += 1;
        self.job.signal("KILL");
        // It may have asked for a restart a moment before the signal came.
        self.expect_end(STOP_LIMIT, tally, |status| status.signal() == Some(9) || status.code() == Some(job::RESTART))
    }

    /// Ends the job in order, and waits for its end, which must be a success.
    pub(crate) fn terminate(&mut self, tally: &mut Tally) -> Result<(), Trouble> {
        // To the process alone, as an init process does: its children are its own affair.
        kit::processes::signal(self.job.pid, "TERM");
        self.expect_end(STOP_LIMIT, tally, |status| status.success())
    }

    /// Waits for an end that was brought about.
    fn expect_end(
        &mut self,
        limit: Duration,
        tally: &mut Tally,
        is_fine: impl Fn(ExitStatus) -> bool,
    ) -> Result<(), Trouble> {
        let status = self.job.wait(limit);
        self.collect(tally);
        match status {
            Some(status) if is_fine(status) => Ok(()),
            Some(status) => {
                tally.find(format!("the job ended with {}: {}", ending(status), self.job.last_line));
                Ok(())
            }
            None => {
                self.job.signal("KILL");
                Err(format!("the job did not end within {} s: {}", limit.as_secs(), self.job.last_line).into())
            }
        }
    }

    /// Takes over what the job has told.
    pub(crate) fn collect(&mut self, tally: &mut Tally) {
        self.job.recoveries.drain(..).for_each(|recovery| tally.recovered(recovery));
        self.job.panics.drain(..).for_each(|line| tally.find(format!("the job panicked: {line}")));
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // Also where the group's leader is gone: its children may not be.
        kit::processes::signal_group(self.job.pid, "KILL");
    }
}

/// Waits until a job that lost its place has ended, which must be with [`job::REFUSED`].
pub(crate) fn expect_refusal(mut job: Job, who: &str, tally: &mut Tally) {
    match job.wait(STOP_LIMIT) {
        Some(status) if status.code() == Some(job::REFUSED) => {}
        Some(status) => {
            tally.find(format!("{who} ended with {}, not {}: {}", ending(status), job::REFUSED, job.last_line));
        }
        None => {
            tally.find(format!("{who} did not end within {} s: {}", STOP_LIMIT.as_secs(), job.last_line));
            job.signal("KILL");
        }
    }
}

fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, signal) => format!("signal {}", signal.unwrap_or_default()),
    }
}
