//! No fault at all: what is found here is wrong with the suite, or with the job on a good day.

use kit::Trouble;
use kit::generator::Shape;

use crate::stage::Stage;

pub(super) fn play(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let generator = stage.generate(Shape { seconds: 8, ..Shape::default() })?;
    let jobs = stage.supervise(stage.plan())?;
    stage.finish(generator, jobs)
}
