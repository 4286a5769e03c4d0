//! The network between job and broker is cut, or stays up and carries nothing, for longer than a transaction may last:
//! the surest way to have a transaction time out in the middle.

use std::time::Duration;

use kit::Trouble;
use kit::generator::Shape;
use kit::job::{Plan, SHORT_TRANSACTIONS, TRANSACTION_TIMEOUT};

use crate::proxy::Network;
use crate::stage::Stage;

pub(super) fn play(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let rounds = stage.pick(1, 5);
    let generator = stage.generate(Shape { seconds: 16 * rounds, ..Shape::default() })?;
    let bootstrap = stage.suite.network.address.to_string();
    let mut jobs = stage.supervise(Plan { bootstrap, properties: SHORT_TRANSACTIONS.to_vec(), ..stage.plan() })?;
    jobs.run_until_ready(0, &mut stage.tally)?;
    let long = TRANSACTION_TIMEOUT + Duration::from_secs(1);
    for round in 1..=rounds {
        for (what, network, time) in [
            ("cut for a moment", Network::Cut, Duration::from_millis(700)),
            ("cut", Network::Cut, long),
            ("silent", Network::Silent, long),
        ] {
            stage.say(&format!("{what}, round {round} of {rounds}"));
            let before = stage.seconds(1.0, 2.5);
            jobs.run_for(before, &mut stage.tally)?;
            stage.tally.faults += 1;
            jobs.has_outage = true;
            stage.suite.network.set(network);
            jobs.run_for(time, &mut stage.tally)?;
            stage.suite.network.set(Network::Up);
        }
    }
    stage.finish(generator, jobs)
}
