//! `kill -9`, at moments of which the job knows nothing: while it starts, replays, counts and commits.

use kit::Trouble;
use kit::generator::Shape;

use crate::stage::Stage;
use crate::supervisor::Supervisor;

/// From soon after the start, before the first commit, to when all is calm.
const FROM_SECONDS: f64 = 0.3;
const TO_SECONDS: f64 = 6.0;

pub(super) fn play(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let cycles = stage.suite.args.cycles();
    let generator = stage.generate(Shape { seconds: u64::from(cycles) * 7 / 2 + 3, ..Shape::default() })?;
    let mut jobs = stage.supervise(stage.plan())?;
    for cycle in 1..=cycles {
        let after = stage.seconds(FROM_SECONDS, TO_SECONDS);
        stage.say(&format!("kill {cycle} of {cycles}, {:.2} s after the start", after.as_secs_f64()));
        jobs.run_for(after, &mut stage.tally)?;
        jobs.kill(&mut stage.tally)?;
        jobs.start_again()?;
    }
    stage.finish(generator, jobs)
}

/// Kills the job again and again, each time a while after it has recovered.
pub(super) fn kill_when_ready(stage: &mut Stage<'_>, jobs: &mut Supervisor, kills: u64) -> Result<(), Trouble> {
    jobs.run_until_ready(0, &mut stage.tally)?;
    for kill in 1..=kills {
        stage.say(&format!("kill {kill} of {kills}"));
        let before = stage.seconds(0.5, 4.0);
        jobs.run_for(before, &mut stage.tally)?;
        jobs.kill(&mut stage.tally)?;
        let epoch = jobs.job.epoch;
        jobs.start_again()?;
        jobs.run_until_ready(epoch, &mut stage.tally)?;
    }
    Ok(())
}
