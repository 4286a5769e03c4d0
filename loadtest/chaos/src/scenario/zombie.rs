//! The job stands still, is taken for dead, and another one takes its place. Then it wakes up and has to find out, before
//! it changes anything, that it is not the job any more.

use std::time::Duration;

use kit::Trouble;
use kit::generator::Shape;
use kit::job::{Plan, SHORT_TRANSACTIONS, TRANSACTION_TIMEOUT};

use crate::stage::Stage;
use crate::supervisor::expect_refusal;

pub(super) fn play(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let rounds = stage.pick(2, 10);
    let generator = stage.generate(Shape { seconds: 6 * rounds, ..Shape::default() })?;
    let mut jobs = stage.supervise(Plan { properties: SHORT_TRANSACTIONS.to_vec(), ..stage.plan() })?;
    jobs.run_until_ready(0, &mut stage.tally)?;
    for round in 1..=rounds {
        stage.say(&format!("zombie {round} of {rounds}"));
        let before = stage.seconds(0.5, 2.5);
        jobs.run_for(before, &mut stage.tally)?;
        let epoch = jobs.job.epoch;
        stage.tally.faults += 1;
        jobs.job.signal("STOP");
        // Every other time the zombie's transaction has timed out before the other one comes.
        if round % 2 == 1 {
            jobs.run_for(TRANSACTION_TIMEOUT + Duration::from_secs(1), &mut stage.tally)?;
        }
        let zombie = jobs.start_again()?;
        jobs.run_until_ready(epoch, &mut stage.tally)?;
        zombie.signal("CONT");
        expect_refusal(zombie, "the job that was taken for dead", &mut stage.tally);
    }
    stage.finish(generator, jobs)
}
