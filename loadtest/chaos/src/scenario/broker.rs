//! The broker goes away and comes back, with what it had.

use std::time::Duration;

use kit::Trouble;
use kit::broker::Broker;
use kit::generator::Shape;

use crate::stage::Stage;

pub(super) fn play(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let rounds = stage.pick(1, 4);
    let generator = stage.generate(Shape { seconds: 20 * rounds, ..Shape::default() })?;
    let mut jobs = stage.supervise(stage.plan())?;
    jobs.run_until_ready(0, &mut stage.tally)?;
    for round in 1..=rounds {
        for (what, end) in [("stop", Broker::stop as fn(&Broker) -> _), ("kill", Broker::kill)] {
            stage.say(&format!("{what} of the broker, round {round} of {rounds}"));
            let (before, away) = (stage.seconds(1.0, 3.0), stage.seconds(0.5, 3.0));
            jobs.run_for(before, &mut stage.tally)?;
            stage.tally.faults += 1;
            jobs.has_outage = true;
            end(&stage.suite.broker)?;
            jobs.run_for(away, &mut stage.tally)?;
            stage.suite.broker.start_again()?;
            // A job that is just starting may still meet the broker's first moments.
            jobs.run_for(Duration::from_secs(1), &mut stage.tally)?;
        }
    }
    stage.finish(generator, jobs)
}
