//! Several processes that read one topic: the results are those of one.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use crate::broker::broker;
use crate::jobs::{Job, Running, epoch, positions, until};
use crate::streams::Records;

const END: Duration = Duration::from_secs(20);

/// A file of addresses on ports that are free now.
fn hosts(processes: usize) -> tempfile::NamedTempFile {
    let ports: Vec<_> = (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    let lines: Vec<_> = ports.iter().map(|port| port.local_addr().unwrap().to_string()).collect();
    fs::write(file.path(), lines.join("\n")).unwrap();
    file
}

/// The processes that a supervisor has started and that have not ended.
fn processes_of(supervisor: &Running) -> Vec<u32> {
    let pid = supervisor.pid();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let is_running = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    };
    children.split_whitespace().map(|pid| pid.parse().unwrap()).filter(is_running).collect()
}

fn kill(pid: u32) {
    let killed = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap();
    assert!(killed.success());
}

#[test]
fn three_supervised_processes_count_what_one_would_and_their_end_loses_nothing() {
    let Some(broker) = broker() else { return };
    let job = Job::new(broker, "cluster-supervised", 4);
    let mut records = Records::generate(6_000, 4, 31);
    records.send_until(broker, &job.topics.raw, 0.6);
    let three = ["--processes", "3", "-w", "1"];
    let mut supervisor = job.start(&three);
    job.until_read(&mut supervisor, records.sent());
    let asked = std::time::Instant::now();
    supervisor.stop();
    assert!(asked.elapsed() < Duration::from_secs(10), "it took {:?} to end", asked.elapsed());
    assert_eq!(positions(&job.records()), records.sent() as u64);

    records.send_until(broker, &job.topics.raw, 1.0);
    records.finish(&job, job.start(&three));
    records.check(&job);
    assert_eq!(epoch(&job.records()), 2);
}

#[test]
fn processes_of_which_one_is_killed_start_again_together_and_the_result_is_exact() {
    let Some(broker) = broker() else { return };
    let job = Job::new(broker, "cluster-killed", 4);
    let mut records = Records::generate(6_000, 4, 32);
    let mut supervisor = job.start(&["--processes", "3", "-w", "1"]);
    std::thread::scope(|scope| {
        let feed = scope.spawn(|| records.send_slowly(broker, &job.topics.raw, 60));
        // The one that commits, and one that does not.
        for (killed, closed) in [(2, "12:01:00"), (0, "12:03:00")] {
            job.until_closed(&mut supervisor, &format!("2024-01-01T{closed}Z"));
            let before = processes_of(&supervisor);
            assert_eq!(before.len(), 3);
            kill(before[killed]);
            until("three others", || {
                let after = processes_of(&supervisor);
                (after.len() == 3 && after.iter().all(|pid| !before.contains(pid))).then_some(())
            });
        }
        feed.join().unwrap();
    });
    records.finish(&job, supervisor);
    records.check(&job);
    assert_eq!(epoch(&job.records()), 3);
}

#[test]
fn processes_started_by_hand_count_what_one_would_and_end_together() {
    let Some(broker) = broker() else { return };
    let job = Job::new(broker, "cluster-by-hand", 5);
    let mut records = Records::generate(6_000, 5, 33);
    records.send_until(broker, &job.topics.raw, 0.5);
    let hosts = hosts(2);
    let start = |process: &str| {
        let path = hosts.path().display().to_string();
        job.start(&["-n", "2", "-p", process, "--hosts", &path, "-w", "2"])
    };
    let (mut first, second) = (start("0"), start("1"));
    job.until_read(&mut first, records.sent());
    // One of them is killed: the other one cannot go on, and says which one is gone.
    second.kill();
    first.ended(END).expect(75, &["process 1", "start all processes again"]);

    let (first, second) = (start("0"), start("1"));
    records.send_until(broker, &job.topics.raw, 1.0);
    records.finish(&job, first);
    let second = second.ended(END);
    assert_eq!(second.code, Some(0), "{}", second.said);
    records.check(&job);
}

#[test]
fn processes_with_other_settings_than_each_other_are_all_refused() {
    let Some(broker) = broker() else { return };
    let job = Job::new(broker, "cluster-mixed", 2);
    let hosts = hosts(3);
    let path = hosts.path().display().to_string();
    let start = |process: &str, disorder: &str| {
        job.start(&["-n", "3", "-p", process, "--hosts", &path, "-w", "1", "--out-of-orderness", disorder])
    };
    let all = [start("0", "10s"), start("1", "10s"), start("2", "12s")];
    for process in all {
        process.ended(END).expect(78, &["--out-of-orderness is 10s on process", "12s on process 2"]);
    }
    assert_eq!(job.commits(), [None, None]);
}

#[test]
fn workers_and_processes_without_a_partition_hold_nothing_up() {
    let Some(broker) = broker() else { return };
    let job = Job::new(broker, "cluster-many", 2);
    let mut records = Records::generate(3_000, 2, 34);
    records.send_until(broker, &job.topics.raw, 0.4);
    let mut running = job.start(&["-w", "7"]);
    job.until_closed(&mut running, "2024-01-01T12:02:00Z");
    running.stop();
    // The last process has no partition at all.
    let mut running = job.start(&["--processes", "3", "-w", "1"]);
    records.send_until(broker, &job.topics.raw, 0.7);
    job.until_read(&mut running, records.sent());
    running.stop();
    records.send_until(broker, &job.topics.raw, 1.0);
    records.finish(&job, job.start(&["-w", "1"]));
    records.check(&job);
}
