//! What a person at a terminal sees while the job runs; nothing when standard error is not a terminal.

use std::io::{self, IsTerminal};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::job::Job;
use crate::source::Extent;

const INTERVAL: Duration = Duration::from_millis(200);

/// A line on the terminal that is redrawn until it is dropped.
pub(super) struct Display {
    ended: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Display {
    /// Shows the progress of `job`; `extent` is how much there is to read.
    pub(super) fn start(job: &Job, extent: Option<Extent>) -> Self {
        let ended = Arc::new((Mutex::new(false), Condvar::new()));
        if !io::stderr().is_terminal() {
            return Display { ended, thread: None };
        }
        let (job, shared) = (job.clone(), Arc::clone(&ended));
        let thread = thread::Builder::new().name("progress".to_owned()).spawn(move || draw(&job, extent, &shared)).ok();
        Display { ended, thread }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let (ended, changed) = &*self.ended;
        *ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of the display is no reason to fail the job.
            let _ = thread.join();
        }
    }
}

fn message(job: &Job, received: u64, rate: u64) -> String {
    let mut message = format!(
        "{} records  {} events/s  watermark {}",
        HumanCount(received),
        HumanCount(rate),
        job.partitions.job_watermark(),
    );
    // Only a broker knows how much there is beyond what was read.
    if let Some(lag) = job.partitions.lag() {
        message += &format!("  lag {}", HumanCount(lag));
    }
    message
}

fn draw(job: &Job, extent: Option<Extent>, (ended, changed): &(Mutex<bool>, Condvar)) {
    let total = extent.map(|extent| match extent {
        Extent::Bytes(total) | Extent::Records(total) => total,
    });
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
    let template = if total.is_some() { "{bar:30} {percent:>3} %  {msg}" } else { "{spinner} {msg}" };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    let mut last = (Instant::now(), 0);
    let mut has_ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
    while !*has_ended {
        let totals = job.partitions.totals();
        let elapsed = last.0.elapsed().as_secs_f64().max(0.001);
        let rate = (totals.received - last.1) as f64 / elapsed;
        last = (Instant::now(), totals.received);
        bar.set_position(if matches!(extent, Some(Extent::Records(_))) { totals.received } else { totals.bytes_read });
        bar.set_message(message(job, totals.received, rate as u64));
        bar.tick();
        (has_ended, _) = changed.wait_timeout(has_ended, INTERVAL).unwrap_or_else(PoisonError::into_inner);
    }
    bar.finish_and_clear();
}
