//! Memory depends on the open windows, not on the length of the stream.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::fixture::{Scripted, event};
use crate::properties::model;
use crate::topic::{Setup, Store, Topic};

/// Replays a generated stream of so many minutes through the program; returns its peak memory in KiB.
fn peak_memory_kib(minutes: u32) -> u64 {
    let program = env!("CARGO_BIN_EXE_dataflow");
    let mut generator = Command::new(program)
        .args(["generate", "--seed", "7", "--products", "2000", "--users", "20000"])
        .args(["--events", &(minutes * 6_000).to_string(), "--duration", &format!("{minutes}m")])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut replay = Command::new(program)
        .args(["replay", "--source", "-", "--sink", "ndjson:/dev/null", "-w", "2"])
        .stdin(generator.stdout.take().unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let peak = watch(&mut replay);
    assert!(generator.wait().unwrap().success());
    peak
}

/// The high-water mark of the child's resident memory, as last seen before its end.
fn watch(child: &mut Child) -> u64 {
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let status = std::fs::read_to_string(&status_file).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(peak);
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            return peak;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn two_hours_take_no_more_memory_than_twenty_minutes() {
    let (short, long) = (peak_memory_kib(20), peak_memory_kib(120));
    assert!(long < short + short / 5 + 4_096, "20 minutes took {short} KiB but 120 minutes {long} KiB");
}

/// Eight partitions that cover the same two hours, some of them with very many more events than others.
fn unequal() -> Vec<Vec<Scripted>> {
    let partition = |per_minute: u32| {
        let event = |number: u32| {
            let (minute, place) = (number / per_minute, number % per_minute);
            let time = format!("{:02}:{:02}:{:02}", 12 + minute / 60, minute % 60, place * 60 / per_minute);
            event(&format!("u{place}"), "a", &time)
        };
        (0..120 * per_minute).map(event).collect()
    };
    [1, 1, 1, 2, 3, 5, 10, 30].map(partition).to_vec()
}

/// How many windows are open at once, at the most, when a job catches up.
fn most_open(max_partition_skew: Option<Duration>, workers: usize) -> u64 {
    let partitions = unequal();
    let topic = Topic::of(&partitions);
    let mut setup = Setup::new(workers);
    setup.settings.max_partition_skew = max_partition_skew;
    setup.chunk = 1;
    setup.commit_interval = Duration::from_secs(1);
    let running = setup.start(&topic, &Store::default());
    assert!(running.wait_for_all(model(&setup.settings).first_open(&partitions)));
    let most_open = running.job.windows.most_open();
    running.stop().unwrap();
    most_open
}

#[test]
fn a_backfill_of_unequal_partitions_holds_few_windows_open_because_it_is_aligned() {
    for workers in [1, 3] {
        let aligned = most_open(Some(Duration::from_secs(120)), workers);
        // Two windows of skew and the one in which the slowest is, the read that oversteps them, and those that close.
        assert!(aligned <= 12, "{aligned} windows were open at once on {workers} workers");
        let free = most_open(None, workers);
        assert!(free > 60, "only {free} windows were open at once without alignment on {workers} workers");
    }
}
