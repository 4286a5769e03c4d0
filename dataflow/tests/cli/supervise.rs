//! `run --processes N`: a job in several processes, which are started again together when one fails.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::fixtures::three_events;
use crate::harness::{INTERRUPT_LIMIT, LIMIT, Place, Running};

/// The processes that a supervisor has started and that have not ended.
fn processes_of(running: &Running) -> Vec<u32> {
    let pid = running.pid();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let all = children.split_whitespace().map(|pid| pid.parse().expect("a number"));
    all.filter(|pid| is_running(*pid)).collect()
}

fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn signal(signal: &str, pid: u32) {
    let sent = Command::new("kill").args(["-s", signal, &pid.to_string()]).status();
    assert!(sent.expect("kill is there").success());
}

/// Starts processes that wait for a pipe, and waits until they listen to signals.
fn start_waiting(place: &Place, processes: usize) -> Running {
    place.named_pipe("events");
    let number = processes.to_string();
    let flags =
        ["run", "--processes", &number, "--source", "file:events", "--sink", "stdout", "--admin-addr", "127.0.0.1:0"];
    let mut running = place.dataflow(flags).start();
    waits_until_started(&mut running, processes);
    running
}

fn waits_until_started(running: &mut Running, times: usize) {
    running.wait_until("all processes", |running| running.stderr_so_far().matches("/metrics").count() >= times);
}

#[test]
fn a_job_that_ends_well_ends_the_supervisor_well() {
    for processes in ["1", "2"] {
        let place = Place::new();
        place.write("events", three_events());
        let flags = ["run", "--processes", processes, "--source", "file:events", "--admin-addr", "off"];
        let ended = place.dataflow(flags).run().succeeds();
        assert!(!ended.stderr.contains("again"), "{}", ended.stderr);
        assert!(!ended.stdout().is_empty());
    }
}

#[test]
fn what_no_restart_can_mend_ends_the_supervisor_with_the_same_exit_code() {
    let place = Place::new();
    let flags = ["run", "--processes", "2", "--source", "file:missing", "--admin-addr", "off"];
    let ended = place.dataflow(flags).run();
    assert_eq!(ended.status.code(), Some(64), "{}", ended.stderr);
    assert!(!ended.stderr.contains("again"), "{}", ended.stderr);
}

#[test]
fn a_job_that_fails_is_started_again_after_longer_and_longer_pauses() {
    for (processes, them) in [("1", "it"), ("2", "all 2")] {
        let place = Place::new();
        place.write("events", three_events());
        let flags = ["run", "--processes", processes, "--source", "file:events", "--sink", "ndjson:/dev/full"];
        let mut running = place.dataflow(flags.iter().chain(&["--admin-addr", "off"])).start();
        for pause in ["0.2", "0.4", "0.8"] {
            let line = format!("ended with exit code 74; starting {them} again in {pause} s\n");
            running.wait_until(&line, |running| running.stderr_so_far().contains(&line));
        }
        running.signal("TERM");
        running.wait(INTERRUPT_LIMIT);
    }
}

#[test]
fn all_processes_are_started_again_when_one_is_killed() {
    let place = Place::new();
    let mut running = start_waiting(&place, 3);
    let before = processes_of(&running);
    assert_eq!(before.len(), 3);
    signal("KILL", before[1]);
    let line = "process 1 was ended by signal 9; starting all 3 again in 0.2 s\n";
    running.wait_until(line, |running| running.stderr_so_far().contains(line));
    waits_until_started(&mut running, 6);
    let after = processes_of(&running);
    assert!(after.len() == 3 && after.iter().all(|pid| !before.contains(pid)), "{before:?} {after:?}");
    running.signal("TERM");
    running.wait(INTERRUPT_LIMIT).succeeds();
}

#[test]
fn a_signal_is_passed_on_once_and_ends_all_processes_well() {
    for name in ["INT", "TERM"] {
        for processes in [1, 2] {
            let place = Place::new();
            let running = start_waiting(&place, processes);
            let all = processes_of(&running);
            running.signal(name);
            let ended = running.wait(INTERRUPT_LIMIT).succeeds();
            assert!(!ended.stderr.contains("again"), "{}", ended.stderr);
            assert!(!all.into_iter().any(is_running));
        }
    }
}

#[test]
fn a_second_signal_ends_processes_that_do_not_end() {
    let place = Place::new();
    let running = start_waiting(&place, 2);
    let all = processes_of(&running);
    // One that is halted does not hear the first.
    signal("STOP", all[0]);
    running.signal("INT");
    while is_running(all[1]) {
        std::thread::sleep(Duration::from_millis(5));
    }
    running.signal("INT");
    let ended = running.wait(INTERRUPT_LIMIT);
    assert_eq!(ended.status.code(), Some(130), "{}", ended.stderr);
    assert!(!all.into_iter().any(is_running));
}

#[test]
fn processes_end_when_their_supervisor_is_killed() {
    let place = Place::new();
    let running = start_waiting(&place, 2);
    let all = processes_of(&running);
    running.signal("KILL");
    assert_eq!(running.wait(LIMIT).status.code(), None);
    while all.iter().copied().any(is_running) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_supervisor_starts_processes_or_one_is_started_by_hand() {
    let place = Place::new();
    for flags in [["--process", "0"], ["--cluster-processes", "2"], ["--hosts", "file"]] {
        let all = ["run", "--processes", "2"].into_iter().chain(flags);
        place.dataflow(all).run().fails(64, "cannot be used with");
    }
    place.dataflow(["run", "--processes", "0"]).run().fails(64, "--processes");
}

#[test]
fn each_process_has_a_port_of_its_own_for_metrics() {
    let place = Place::new();
    let flags = ["run", "--processes", "3", "--admin-addr=127.0.0.1:65534"];
    place.dataflow(flags).run().fails(64, "the 3 processes need as many ports");
}
