//! Three processes under the job's own supervisor: one of them is killed, all of them, the supervisor alone, and all
//! with the supervisor.

use kit::generator::Shape;
use kit::{Trouble, processes};
use rand::seq::IndexedRandom as _;

use crate::stage::Stage;
use crate::supervisor::Supervisor;

pub(super) fn play(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let rounds = stage.pick(1, 5);
    let generator = stage.generate(Shape { seconds: 20 * rounds, ..Shape::default() })?;
    let plan = kit::job::Plan { processes: 3, workers: 1, ..stage.plan() };
    let mut jobs = stage.supervise(plan)?;
    jobs.run_until_ready(0, &mut stage.tally)?;
    for round in 1..=rounds {
        stage.say(&format!("round {round} of {rounds}"));
        kill_one(stage, &mut jobs)?;
        kill_all(stage, &mut jobs)?;
        kill_supervisor(stage, &mut jobs)?;
        kill_everything(stage, &mut jobs)?;
    }
    stage.finish(generator, jobs)
}

/// The others have to end too, and the supervisor starts all of them again.
fn kill_one(stage: &mut Stage<'_>, jobs: &mut Supervisor) -> Result<(), Trouble> {
    let (workers, epoch) = workers(stage, jobs)?;
    let Some(&worker) = workers.choose(&mut stage.random) else { return Ok(()) };
    stage.tally.faults += 1;
    processes::signal(worker, "KILL");
    jobs.run_until_ready(epoch, &mut stage.tally)?;
    let left: Vec<u32> = processes::children(jobs.job.pid)?.into_iter().filter(|pid| workers.contains(pid)).collect();
    if !left.is_empty() {
        stage.tally.find(format!("worker {worker} was killed, but workers {left:?} of its job still run"));
    }
    Ok(())
}

fn kill_all(stage: &mut Stage<'_>, jobs: &mut Supervisor) -> Result<(), Trouble> {
    let (workers, epoch) = workers(stage, jobs)?;
    stage.tally.faults += 1;
    workers.into_iter().for_each(|worker| processes::signal(worker, "KILL"));
    jobs.run_until_ready(epoch, &mut stage.tally)
}

/// Its workers may live on for a moment beside those of the next job, which is what fences are for.
fn kill_supervisor(stage: &mut Stage<'_>, jobs: &mut Supervisor) -> Result<(), Trouble> {
    let (_, epoch) = workers(stage, jobs)?;
    stage.tally.faults += 1;
    processes::signal(jobs.job.pid, "KILL");
    jobs.job.wait(super::SOON);
    jobs.start_again()?;
    jobs.run_until_ready(epoch, &mut stage.tally)
}

fn kill_everything(stage: &mut Stage<'_>, jobs: &mut Supervisor) -> Result<(), Trouble> {
    let (_, epoch) = workers(stage, jobs)?;
    jobs.kill(&mut stage.tally)?;
    jobs.start_again()?;
    jobs.run_until_ready(epoch, &mut stage.tally)
}

/// Lets the job work for a while; its worker processes, and its epoch.
fn workers(stage: &mut Stage<'_>, jobs: &mut Supervisor) -> Result<(Vec<u32>, u64), Trouble> {
    let time = stage.seconds(0.5, 3.0);
    jobs.run_for(time, &mut stage.tally)?;
    let workers = processes::children(jobs.job.pid)?;
    if workers.is_empty() {
        stage.tally.find("the job of three processes has no child process");
    }
    Ok((workers, jobs.job.epoch))
}
