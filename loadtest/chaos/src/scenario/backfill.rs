//! A long topic is read from its beginning: the first of eight partitions has half of the events, the last 0.4 %, all over
//! the same time. Read at the same pace, the short ones are far ahead in event time, and the windows in between stay open.
//! Alignment makes them wait, so that memory has a bound that does not depend on how long the topic is.

use std::fs;

use kit::Trouble;
use kit::generator::Shape;
use kit::job::Plan;

use crate::backlog::Backlog;
use crate::chart;
use crate::memory::{Curve, Sampler};
use crate::stage::Stage;

/// Events per second of event time: a window has as many events however long the topic is.
const RATE: u64 = 1500;
const PARTITIONS: u32 = 8;
/// The most that the job may hold with alignment; README.md says what it is made of.
const BOUND_MIB: f64 = 512.0;

pub(super) fn play(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let shape = Shape {
        seconds: stage.suite.args.events() / RATE,
        rate: RATE,
        speed: 1,
        partitions: PARTITIONS,
        skew: 0.5,
        is_paced: false,
        products: 200,
        users: 1_000_000,
        odd_share: 0.001,
        ..Shape::default()
    };
    let backlog = Backlog::fill(stage, shape)?;
    backlog.close_windows(stage)?;
    let aligned = read(stage, &backlog, "aligned", None)?;
    let free = read(stage, &backlog, "not-aligned", Some(0))?;

    let curves = [("aligned", &aligned), ("not aligned", &free)];
    let title = format!("{} events in {PARTITIONS} unequal partitions", shape.events());
    fs::write(stage.folder.join("memory.csv"), chart::csv(&curves))?;
    fs::write(stage.folder.join("memory.svg"), chart::svg(&title, BOUND_MIB, &curves))?;
    stage.tally.notes.push(format!("resident memory, {title}"));
    stage.tally.notes.extend(chart::table(&curves));
    if aligned.peak > BOUND_MIB {
        stage.tally.find(format!("with alignment the job has used {:.0} MiB, not {BOUND_MIB} at most", aligned.peak));
    }
    Ok(())
}

/// Lets a job read everything; its memory meanwhile.
fn read(stage: &mut Stage<'_>, backlog: &Backlog, name: &str, skew: Option<u32>) -> Result<Curve, Trouble> {
    // Without the table: what is measured is reading, not how fast an emulator takes rows.
    let plan = Plan { has_table: false, max_partition_skew: skew, ..stage.reader(name)? };
    let jobs = stage.supervise(plan)?;
    let memory = Sampler::start(jobs.job.pid);
    backlog.compare(stage, jobs)?;
    memory.end()
}
