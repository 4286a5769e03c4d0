//! How much memory a process has, over time.

use std::fs;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use kit::Trouble;

const SAMPLE_EVERY: Duration = Duration::from_millis(200);

/// The resident memory of a process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Curve {
    /// Seconds since the first sample, and MiB.
    pub(crate) samples: Vec<(f64, f64)>,
    /// The most there ever was in MiB, as the system kept it: also between two samples.
    pub(crate) peak: f64,
}

impl Curve {
    /// The last sample not after this time; `None` behind the curve's end.
    pub(crate) fn at(&self, seconds: f64) -> Option<f64> {
        let next = self.samples.partition_point(|(time, _)| *time <= seconds);
        let is_inside = self.samples.last().is_some_and(|(end, _)| seconds <= *end);
        self.samples.get(next.checked_sub(1)?).filter(|_| is_inside).map(|(_, mib)| *mib)
    }

    /// The time of the last sample.
    pub(crate) fn end(&self) -> f64 {
        self.samples.last().map_or(0.0, |(time, _)| *time)
    }
}

/// Watches a process until it is told to end, or the process has ended.
pub(crate) struct Sampler {
    stop: Sender<()>,
    thread: JoinHandle<Curve>,
}

impl Sampler {
    /// Starts to watch.
    pub(crate) fn start(pid: u32) -> Self {
        let (stop, stopped) = mpsc::channel();
        let started = Instant::now();
        let thread = thread::spawn(move || {
            let mut curve = Curve::default();
            while let Some((mib, peak)) = read(pid) {
                curve.samples.push((started.elapsed().as_secs_f64(), mib));
                curve.peak = peak;
                if stopped.recv_timeout(SAMPLE_EVERY) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            curve
        });
        Sampler { stop, thread }
    }

    /// What was seen.
    pub(crate) fn end(self) -> Result<Curve, Trouble> {
        // The process may have ended before.
        let _ = self.stop.send(());
        self.thread.join().map_err(|_| "the sampler of memory has panicked".into())
    }
}

/// Resident memory and its peak in MiB.
fn read(pid: u32) -> Option<(f64, f64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some((field(&status, "VmRSS:")?, field(&status, "VmHWM:")?))
}

/// From a line such as `VmRSS:     2048 kB`.
fn field(status: &str, name: &str) -> Option<f64> {
    let kib: f64 = status.lines().find_map(|line| line.strip_prefix(name))?.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_from_the_status() {
        assert_eq!(field("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n", "VmRSS:"), Some(1.0));
        assert_eq!(field("Name:\tzombie\n", "VmRSS:"), None);
        let curve = Sampler::start(std::process::id()).end().unwrap();
        assert!(curve.samples[0].1 > 0.0 && curve.peak >= curve.samples[0].1);
    }

    #[test]
    fn a_curve_has_a_value_between_its_first_and_its_last_sample() {
        let curve = Curve { samples: vec![(0.0, 10.0), (0.2, 20.0)], peak: 25.0 };
        assert_eq!([0.1, 0.2, 0.3].map(|time| curve.at(time)), [Some(10.0), Some(20.0), None]);
        assert_eq!(Curve::default().at(0.0), None);
    }
}
