//! How long a start takes where there is most to read again: all of 70 s of event time, at 50 000 events a second, lies in
//! windows that are still open. The job is killed when it has read and committed everything, again and again.

use std::time::{Duration, Instant};

use kit::Trouble;
use kit::generator::Shape;

use crate::backlog::Backlog;
use crate::stage::Stage;

/// A start that takes as long is a finding; a machine that is merely slow is given more time to show by how much.
const MOST: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) fn play(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    // The watermark ends ten seconds before the events, in the first minute.
    let shape = Shape {
        seconds: 70,
        rate: 50_000,
        speed: 1,
        is_paced: false,
        products: 1000,
        users: 1_000_000,
        odd_share: 0.001,
        ..Shape::default()
    };
    let backlog = Backlog::fill(stage, shape)?;
    let mut jobs = stage.supervise(stage.plan())?;
    backlog.wait_until_read(stage, &mut jobs)?;
    let restarts = stage.suite.args.restarts.max(1);
    let mut times = Vec::new();
    for restart in 1..=restarts {
        stage.say(&format!("start {restart} of {restarts}"));
        jobs.kill(&mut stage.tally)?;
        let (epoch, started) = (jobs.job.epoch, Instant::now());
        jobs.start_again()?;
        let is_ready = jobs.run_until("a recovery", PATIENCE, &mut stage.tally, |job| Ok(job.epoch > epoch))?;
        times.push(started.elapsed());
        if !is_ready {
            break;
        }
    }
    times.sort_unstable();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    stage.tally.notes.push(format!(
        "{} starts with {} records to read again, from the start of the process to the end of the recovery: median \
         {:.1} s, worst {:.1} s",
        times.len(),
        shape.events(),
        median.as_secs_f64(),
        worst.as_secs_f64(),
    ));
    if worst >= MOST {
        stage.tally.find(format!("a start took {:.0} s; it may take {} s", worst.as_secs_f64(), MOST.as_secs()));
    }
    backlog.close_windows(stage)?;
    backlog.compare(stage, jobs)
}
