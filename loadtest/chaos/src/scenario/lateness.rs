//! Windows take events for two minutes after their end, and the job is killed: a row's revision must not depend on when
//! the job was away.

use crate::Trouble;
use crate::generator::Shape;
use crate::job::Plan;
use crate::stage::Stage;

pub(super) fn play(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let kills = stage.pick(2, 10);
    let generator = stage.generate(Shape { seconds: 5 * kills + 2, ..Shape::default() })?;
    let mut jobs = stage.supervise(Plan { lateness_minutes: 2, ..stage.plan() })?;
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
    stage.finish(generator, jobs)
}
