//! Partitions fall silent, do not hold the others up for longer than the idle timeout, and come back; the job is killed
//! while they are silent and just after they came back.

use kit::Trouble;
use kit::job::Plan;

use crate::scenario::by_hand::ByHand;
use crate::stage::Stage;

pub(super) fn play(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let rounds = stage.pick(1, 5);
    stage.create_topics(3)?;
    let mut jobs = stage.supervise(Plan { idle_timeout: "2s", ..stage.plan() })?;
    let mut events = ByHand::new(3);
    // The third partition has never had an event.
    events.step(stage, &mut jobs, &[0, 1])?;
    for round in 1..=rounds {
        stage.say(&format!("round {round} of {rounds}"));
        stage.tally.faults += 1;
        for _ in 0..3 {
            events.step(stage, &mut jobs, &[0, 1])?;
        }
        events.wait_until_closed(stage, &mut jobs)?;
        jobs.kill(&mut stage.tally)?;
        jobs.start_again()?;
        events.step(stage, &mut jobs, &[0, 1])?;
        events.step(stage, &mut jobs, &[0, 1, 2])?;
        jobs.kill(&mut stage.tally)?;
        jobs.start_again()?;
        events.step(stage, &mut jobs, &[0, 1, 2])?;
        // Now another one is silent.
        for _ in 0..2 {
            events.step(stage, &mut jobs, &[0, 2])?;
        }
        events.wait_until_closed(stage, &mut jobs)?;
        events.step(stage, &mut jobs, &[0, 1, 2])?;
    }
    events.finish(stage, jobs)
}
