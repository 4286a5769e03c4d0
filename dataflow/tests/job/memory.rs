//! Memory depends on the open windows, not on the length of the stream.

use std::process::{Child, Command, Stdio};

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
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn two_hours_take_no_more_memory_than_twenty_minutes() {
    let (short, long) = (peak_memory_kib(20), peak_memory_kib(120));
    assert!(long < short + short / 5 + 4_096, "20 minutes took {short} KiB but 120 minutes {long} KiB");
}
