//! DynamoDB throttles, fails, and closes connections before and after it has done what was asked; then it does so while
//! the job is killed.

use kit::Trouble;
use kit::generator::Shape;
use kit::http_proxy::Weather;

use crate::stage::Stage;

const FINE: Weather = Weather { throttled: 0.0, failed: 0.0, dropped: 0.0 };
const DAYS: [(&str, Weather); 4] = [
    ("throttled", Weather { throttled: 0.5, ..FINE }),
    ("failing", Weather { failed: 0.5, ..FINE }),
    ("dropping connections", Weather { dropped: 0.3, ..FINE }),
    ("refusing everything", Weather { throttled: 0.5, failed: 0.5, ..FINE }),
];

pub(super) fn play(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let rounds = stage.pick(1, 5);
    let generator = stage.generate(Shape { seconds: 16 * rounds, ..Shape::default() })?;
    let mut jobs = stage.supervise(stage.plan())?;
    jobs.run_until_ready(0, &mut stage.tally)?;
    let hurt = stage.store.hurt();
    for round in 1..=rounds {
        for (day, (what, weather)) in DAYS.iter().enumerate() {
            stage.say(&format!("{what}, round {round} of {rounds}"));
            stage.tally.faults += 1;
            stage.store.set(*weather);
            let bad = stage.seconds(1.5, 3.0);
            jobs.run_for(bad, &mut stage.tally)?;
            // One of two days ends with the job's death, puts in flight.
            if day % 2 == 0 {
                jobs.kill(&mut stage.tally)?;
                jobs.start_again()?;
            }
            stage.store.set(FINE);
            let good = stage.seconds(0.5, 1.5);
            jobs.run_for(good, &mut stage.tally)?;
        }
    }
    stage.say(&format!("{} requests were hurt", stage.store.hurt() - hurt));
    stage.finish(generator, jobs)
}
