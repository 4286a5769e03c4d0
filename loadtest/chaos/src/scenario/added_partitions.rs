//! The topic gets more partitions, while the job runs and while it does not. The first events of a new partition are
//! written before the job knows of it.

use kit::Trouble;
use kit::job::Plan;

use crate::scenario::by_hand::ByHand;
use crate::stage::Stage;

pub(super) fn play(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    stage.create_topics(2)?;
    let mut jobs = stage.supervise(Plan { idle_timeout: "2s", ..stage.plan() })?;
    let mut events = ByHand::new(2);
    for _ in 0..3 {
        events.step(stage, &mut jobs, &[0, 1])?;
    }
    for round in 1..=stage.pick(1, 3) {
        let before = events.partitions;
        stage.say(&format!("from {before} to {} partitions while it runs", before + 2));
        add(stage, &mut events, 2)?;
        // One of the two new ones gets events at once.
        let fed: Vec<u32> = (0..=before).collect();
        events.step(stage, &mut jobs, &fed)?;
        events.step(stage, &mut jobs, &fed)?;
        events.wait_until_closed(stage, &mut jobs)?;
        jobs.kill(&mut stage.tally)?;
        if round % 2 == 1 {
            stage.say(&format!("from {} to {} partitions while it is down", events.partitions, events.partitions + 1));
            add(stage, &mut events, 1)?;
            let all: Vec<u32> = (0..events.partitions).collect();
            events.write(stage, &all)?;
        }
        jobs.start_again()?;
        let all: Vec<u32> = (0..events.partitions).collect();
        events.wait_until_read(stage, &mut jobs)?;
        events.step(stage, &mut jobs, &all)?;
    }
    events.finish(stage, jobs)
}

fn add(stage: &mut Stage<'_>, events: &mut ByHand, more: u32) -> Result<(), Trouble> {
    stage.tally.faults += 1;
    events.partitions += more;
    stage.suite.broker.add_partitions(&stage.names.raw, events.partitions)
}
