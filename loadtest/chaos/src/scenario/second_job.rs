//! Somebody starts the job a second time while it runs: the first one has to give way.

use kit::Trouble;
use kit::generator::Shape;

use crate::stage::Stage;
use crate::supervisor::expect_refusal;

pub(super) fn play(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let rounds = stage.pick(2, 10);
    let generator = stage.generate(Shape { seconds: 5 * rounds, ..Shape::default() })?;
    let mut jobs = stage.supervise(stage.plan())?;
    jobs.run_until_ready(0, &mut stage.tally)?;
    for round in 1..=rounds {
        stage.say(&format!("second job {round} of {rounds}"));
        let before = stage.seconds(0.5, 3.0);
        jobs.run_for(before, &mut stage.tally)?;
        let epoch = jobs.job.epoch;
        stage.tally.faults += 1;
        let first = jobs.start_again()?;
        jobs.run_until_ready(epoch, &mut stage.tally)?;
        expect_refusal(first, "the first of two jobs", &mut stage.tally);
    }
    stage.finish(generator, jobs)
}
