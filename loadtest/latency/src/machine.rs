//! How busy the machine was: a latency says little without it.

use std::fs;
use std::time::Instant;

use kit::Trouble;
use serde::Serialize;

/// Linux counts processor time for programs in hundredths of a second, whatever its own clock does.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time while something was measured, in cores: 1.0 is one core, all the time.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Load {
    /// How many cores there are.
    pub(crate) cores: f64,
    /// All programs, those that have nothing to do with the measurement too.
    pub(crate) busy: f64,
    /// The job.
    pub(crate) job: f64,
    /// Kafka.
    pub(crate) broker: f64,
    /// The load average of the last minute at the end: programs that run or wait for a core.
    pub(crate) average: f64,
}

/// Watches the machine.
pub(crate) struct Watch {
    started: Instant,
    job: u32,
    broker: u32,
    before: [f64; 4],
}

impl Watch {
    /// Begins to watch the machine and two processes.
    pub(crate) fn start(job: u32, broker: u32) -> Result<Self, Trouble> {
        Ok(Watch { started: Instant::now(), job, broker, before: sample(job, broker)? })
    }

    /// What has been used since; both processes still have to live.
    pub(crate) fn end(&self) -> Result<Load, Trouble> {
        let seconds = self.started.elapsed().as_secs_f64();
        let after = sample(self.job, self.broker)?;
        let used = |which: usize| (after[which] - self.before[which]) / TICKS_PER_SECOND / seconds;
        let average = fs::read_to_string("/proc/loadavg")?;
        let average = average.split(' ').next().unwrap_or_default().parse()?;
        Ok(Load { cores: used(0), busy: used(1), job: used(2), broker: used(3), average })
    }
}

/// Ticks so far: of all cores, of those that were busy, of the job, of the broker.
fn sample(job: u32, broker: u32) -> Result<[f64; 4], Trouble> {
    let stat = fs::read_to_string("/proc/stat")?;
    let (all, busy) = all_and_busy(&stat).ok_or("/proc/stat does not begin with the time of all cores")?;
    let used = |pid: u32| -> Result<f64, Trouble> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        Ok(of_process(&stat).ok_or_else(|| format!("process {pid} does not tell its processor time"))?)
    };
    Ok([all, busy, used(job)?, used(broker)?])
}

/// From `cpu user nice system idle iowait irq softirq steal ...`; what another guest took counts as busy.
fn all_and_busy(stat: &str) -> Option<(f64, f64)> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let ticks: Vec<f64> = fields.take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
    let all: f64 = ticks.iter().sum();
    Some((all, all - ticks.get(3)? - ticks.get(4)?))
}

/// From `PID (NAME) STATE PPID ...`: user and system time are the 14th and 15th field.
fn of_process(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let ticks: Vec<f64> = rest.split(' ').skip(11).take(2).map(str::parse).collect::<Result<_, _>>().ok()?;
    (ticks.len() == 2).then(|| ticks.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_and_waiting_for_a_disk_is_not_busy() {
        assert_eq!(all_and_busy("cpu  10 1 5 100 20 2 3 4 9 9\ncpu0 1"), Some((145.0, 25.0)));
        assert_eq!(all_and_busy("intr 1"), None);
    }

    #[test]
    fn a_process_has_user_and_system_time() {
        assert_eq!(of_process("7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20"), Some(300.0));
        let [all, busy, ..] = sample(std::process::id(), std::process::id()).unwrap();
        assert!(0.0 < busy && busy <= all);
    }
}
