//! What is new in one process is told to the others.

use std::fs;
use std::time::Duration;

use crate::harness::{Cluster, Process};

#[test]
fn news_are_heard_in_order_by_all_others_and_by_none_twice() {
    const NEWS: usize = 500;
    let mut all = Cluster::of(3, 2).start_all(&[]);
    for number in 0..NEWS {
        for process in &mut all {
            process.tell(&format!("say {number}"));
        }
    }
    for process in &mut all {
        process.waits_until("all news", |said| said.matches("heard ").count() >= 2 * NEWS);
    }
    all.iter_mut().for_each(|process| process.tell("stop"));
    for process in all {
        let me = process.number;
        let said = process.ends_with(0);
        for other in 0..3 {
            let of_other = format!(" of {other};");
            let heard: Vec<&str> =
                said.lines().filter_map(|line| line.strip_prefix("heard ")?.strip_suffix(&of_other)).collect();
            let told: Vec<_> = (0..if other == me { 0 } else { NEWS }).map(|number| number.to_string()).collect();
            assert_eq!(heard, told, "process {me} of {other}");
        }
    }
}

#[test]
fn processes_without_news_rest() {
    let mut all = Cluster::of(2, 2).start_all(&[]);
    all[0].tell("say something");
    all[1].waits_until_says("heard something of 0;");
    let before: Vec<_> = all.iter().map(time_on_cpu).collect();
    let span = Duration::from_secs(2);
    std::thread::sleep(span);
    for (process, before) in all.iter().zip(before) {
        let used = time_on_cpu(process) - before;
        assert!(used < span / 200, "an idle process used {used:?} of {span:?}");
    }
    all.iter_mut().for_each(|process| process.tell("stop"));
    all.into_iter().for_each(|process| drop(process.ends_with(0)));
}

/// The time that all threads of a process have had on processors.
fn time_on_cpu(process: &Process) -> Duration {
    let threads = fs::read_dir(format!("/proc/{}/task", process.pid())).unwrap();
    let nanos = threads.map(|thread| {
        let statistics = fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap_or_default();
        statistics.split(' ').next().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
    });
    Duration::from_nanos(nanos.sum())
}
