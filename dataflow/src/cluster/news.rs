//! What a process tells the others: how far its partitions are, and what it has taken in.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use timely::worker::Worker;

use super::gossip;
use crate::control::Control;
use crate::partitions::{PartitionNews, Partitions};

/// The whole of it, each time: what was said before is not needed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct News {
    /// The partitions that the process reads.
    partitions: Vec<PartitionNews>,
    /// The times of the earliest and the latest event read there.
    events_millis: (i64, i64),
    /// Its workers.
    workers: Vec<WorkerNews>,
    /// What it has taken in of each worker of another process, all told, in bytes.
    taken_in: Vec<(usize, u64)>,
    is_stopping: bool,
    committed: u64,
    /// Nothing is left to finish anywhere.
    is_over: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct WorkerNews {
    worker: usize,
    in_flight_bytes: usize,
    rests_at: Option<u64>,
    has_settled: bool,
}

/// Before a worker leaves a job that was stopped: lets the other processes know that nothing is left to finish, as they
/// may not have heard all that this one knows.
pub fn tell_that_it_is_over(worker: &mut Worker, control: &Control) {
    let is_first = worker.index() == control.local().start;
    if !is_first || worker.peers() == control.local().len() || control.failure().is_some() {
        return;
    }
    control.set_over();
    while !control.has_told_over() && control.failure().is_none() {
        worker.step_or_park(Some(LOOK_EVERY));
    }
    // What was told goes on its way.
    worker.step();
}

/// How often a worker looks whether something was told.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Keeps this process's view of the others, and theirs of it, up to date.
pub fn share_news(worker: &mut Worker, control: &Arc<Control>, partitions: &Arc<Partitions>) {
    let poll = {
        let (control, partitions) = (Arc::clone(control), Arc::clone(partitions));
        let mut told: Option<News> = None;
        move || {
            let news = gather(&control, &partitions);
            let is_new = told.as_ref() != Some(&news);
            told = Some(news.clone());
            is_new.then_some(news)
        }
    };
    let hear = {
        let (control, partitions) = (Arc::clone(control), Arc::clone(partitions));
        let mut heard: HashMap<(usize, usize), u64> = HashMap::new();
        move |process: usize, news: News| {
            for (worker, taken_in) in &news.taken_in {
                let before = heard.insert((process, *worker), *taken_in).unwrap_or(0);
                if control.is_local(*worker) && *taken_in > before {
                    control.taken_in(*worker, usize::try_from(taken_in - before).unwrap_or(usize::MAX));
                }
            }
            for WorkerNews { worker, in_flight_bytes, rests_at, has_settled } in news.workers {
                control.hear(worker, in_flight_bytes, rests_at, has_settled);
            }
            for partition in &news.partitions {
                partitions.hear(partition);
            }
            partitions.hear_events(news.events_millis);
            control.set_committed(news.committed);
            if news.is_over {
                control.set_over();
            }
            if news.is_stopping && !control.is_stopping() {
                control.stop();
            }
            control.wake_local();
        }
    };
    if let Some(nudge) = gossip(worker, control.local().len(), poll, hear) {
        control.set_nudge(nudge);
    }
}

fn gather(control: &Control, partitions: &Partitions) -> News {
    let worker = |worker| {
        // Looked at first: what is on its way of a worker that rests grows no more.
        let (rests_at, has_settled) = (control.rests_at(worker), control.has_worker_settled(worker));
        WorkerNews { worker, in_flight_bytes: control.in_flight_bytes(worker), rests_at, has_settled }
    };
    let is_own = |partition: &PartitionNews| control.is_local(partition.id.0 as usize % control.workers());
    let others = (0..control.workers()).filter(|worker| !control.is_local(*worker));
    News {
        // Before the workers: once one rests, its partitions stand still.
        workers: control.local().map(worker).collect(),
        partitions: partitions.news().into_iter().filter(is_own).collect(),
        events_millis: partitions.events_millis(),
        taken_in: others.map(|worker| (worker, control.taken_in_here(worker))).collect(),
        is_stopping: control.is_stopping(),
        committed: control.committed(),
        is_over: control.is_over(true),
    }
}
