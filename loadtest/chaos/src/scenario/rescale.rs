//! The job is started again with other numbers of workers, now after an end in order, now after a kill.

use kit::Trouble;
use kit::generator::Shape;
use kit::job::Plan;

use crate::stage::Stage;

pub(super) fn play(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let restarts = stage.pick(3, 12);
    let generator = stage.generate(Shape { seconds: 4 * restarts + 2, partitions: 6, ..Shape::default() })?;
    let mut jobs = stage.supervise(Plan { workers: 1, ..stage.plan() })?;
    jobs.run_until_ready(0, &mut stage.tally)?;
    for (restart, workers) in (1..=restarts).zip([3, 2, 1].into_iter().cycle()) {
        stage.say(&format!("restart {restart} of {restarts}, with {workers} workers"));
        let before = stage.seconds(1.0, 3.0);
        jobs.run_for(before, &mut stage.tally)?;
        if restart % 2 == 1 {
            stage.tally.faults += 1;
            jobs.terminate(&mut stage.tally)?;
        } else {
            jobs.kill(&mut stage.tally)?;
        }
        let epoch = jobs.job.epoch;
        jobs.plan.workers = workers;
        jobs.start_again()?;
        jobs.run_until_ready(epoch, &mut stage.tally)?;
    }
    stage.finish(generator, jobs)
}
