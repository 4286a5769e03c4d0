//! The job stands still (SIGSTOP) for longer than a transaction may last, and nobody takes its place: the broker ends a
//! transaction that was open, and the job has to notice.

use std::time::Duration;

use kit::Trouble;
use kit::generator::Shape;
use kit::job::{Plan, SHORT_TRANSACTIONS, TRANSACTION_TIMEOUT};

use crate::stage::Stage;

pub(super) fn play(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let rounds = stage.pick(2, 10);
    let generator = stage.generate(Shape { seconds: 7 * rounds, ..Shape::default() })?;
    let mut jobs = stage.supervise(Plan { properties: SHORT_TRANSACTIONS.to_vec(), ..stage.plan() })?;
    jobs.run_until_ready(0, &mut stage.tally)?;
    for round in 1..=rounds {
        stage.say(&format!("stop {round} of {rounds}"));
        let before = stage.seconds(0.5, 2.5);
        jobs.run_for(before, &mut stage.tally)?;
        stage.tally.faults += 1;
        jobs.job.signal("STOP");
        jobs.run_for(TRANSACTION_TIMEOUT + Duration::from_secs(1), &mut stage.tally)?;
        jobs.job.signal("CONT");
    }
    stage.finish(generator, jobs)
}
