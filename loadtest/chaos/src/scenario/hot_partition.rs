//! Most events are in one partition, few in the others, and the job is killed: where a partition is read on has nothing
//! to do with where the others are.

use super::kill::kill_when_ready;
use kit::Trouble;
use kit::generator::Shape;

use crate::stage::Stage;

pub(super) fn play(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let kills = stage.pick(2, 10);
    // 84 %, 13 %, 2 % and 0.3 %: four or more events a second, fifteen a minute of event time, in the smallest.
    let generator = stage.generate(Shape { seconds: 5 * kills + 2, skew: 0.85, ..Shape::default() })?;
    let mut jobs = stage.supervise(stage.plan())?;
    kill_when_ready(stage, &mut jobs, kills)?;
    stage.finish(generator, jobs)
}
