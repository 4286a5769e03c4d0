//! What the first worker finds out is known to all.

use crate::harness::Cluster;
use crate::process::FOUND;

#[test]
fn every_worker_of_every_process_knows_what_the_first_one_has_found() {
    for (processes, workers) in [(1, 1), (1, 3), (2, 2), (3, 1)] {
        let cluster = Cluster::of(processes, workers);
        let found = |process: usize| if process == 0 { "epoch 7" } else { "something else" };
        let mut all: Vec<_> = (0..processes).map(|it| cluster.start(it, &[(FOUND, found(it))])).collect();
        for process in &mut all {
            for worker in process.number * workers..(process.number + 1) * workers {
                process.waits_until_says(&format!("worker {worker} knows \"epoch 7\";"));
            }
        }
        all.iter_mut().for_each(|process| process.tell("stop"));
        all.into_iter().for_each(|process| drop(process.ends_with(0)));
    }
}

#[test]
fn what_keeps_the_first_worker_from_finding_out_ends_all_processes_alike() {
    let cluster = Cluster::of(2, 2);
    let all = [0, 1].map(|process| cluster.start(process, &[(FOUND, "error: no broker")]));
    all.into_iter().for_each(|process| process.fails_with(69, "error: no broker"));
}
