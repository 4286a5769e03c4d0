//! Windows take events for two minutes after their end, and the job is killed: a row's revision must not depend on when
//! the job was away.

use super::kill::kill_when_ready;
use kit::Trouble;
use kit::generator::Shape;
use kit::job::Plan;

use crate::stage::Stage;

pub(super) fn play(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let kills = stage.pick(2, 10);
    let generator = stage.generate(Shape { seconds: 5 * kills + 2, ..Shape::default() })?;
    let mut jobs = stage.supervise(Plan { lateness_minutes: 2, ..stage.plan() })?;
    kill_when_ready(stage, &mut jobs, kills)?;
    stage.finish(generator, jobs)
}
