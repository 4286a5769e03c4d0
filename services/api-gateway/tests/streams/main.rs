//! A thousand streams of one gateway that runs as a program of its own. They leave other tests no time, so they are a test
//! program of their own, too.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "the modules are those of the gateway's other tests")]

#[path = "../gateway/harness.rs"]
mod harness;
#[path = "../gateway/sse.rs"]
mod sse;
#[path = "../gateway/topic.rs"]
mod topic;

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tokio::task::JoinSet;

use crate::harness::{closed_address, flags_of};
use crate::sse::Stream;
use crate::topic::{Topic, row};

const STREAMS: usize = 1_000;
const PARTITIONS: i32 = 4;
const ROWS: usize = 400;

/// A gateway as a process. It is killed when it is dropped.
struct Program {
    child: Child,
    url: String,
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Program {
    /// Starts it, and waits until it serves.
    fn start(flags: &[String]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_api-gateway"));
        command.env_clear().args(["--listen-addr", "127.0.0.1:0", "--log", "info"]).args(flags);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = lines.find_map(|line| {
            let line: Value = serde_json::from_str(&line).ok()?;
            (line["message"] == "serving").then(|| line["address"].as_str().map(str::to_owned))?
        });
        let url = format!("http://{}", address.expect("it ends before it serves"));
        // Its other lines are read, so that it never waits for that.
        std::thread::spawn(move || lines.for_each(drop));
        Program { child, url }
    }

    /// The memory that it has, in KiB.
    fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_streams_at_once_have_every_row_while_others_are_served() {
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let topic = Topic::start(PARTITIONS).await;
    let nobody = format!("http://{}", closed_address().await);
    let kafka = topic.flags();
    let mut flags = flags_of([nobody.as_str(); 4], &nobody, &kafka);
    // Nothing here is about time, on a machine that has other things to do.
    flags.extend(["--rate-limit-anonymous", "0", "--stream-max-lag", "10m"].map(str::to_owned));
    let gateway = tokio::task::spawn_blocking(move || Program::start(&flags)).await.unwrap();
    let client = reqwest::Client::new();
    let of_all = format!("{}/analytics/stream", gateway.url);
    Stream::open(&client, &of_all, None).await.wait_for_id().await;
    let before = gateway.resident();

    let mut opening = JoinSet::new();
    for _ in 0..STREAMS {
        let (client, url) = (client.clone(), of_all.clone());
        opening.spawn(async move {
            let mut stream = Stream::open(&client, &url, None).await;
            stream.wait_for_id().await;
            stream
        });
    }
    let streams = opening.join_all().await;
    let open = gateway.resident();

    let mut reading = JoinSet::new();
    for mut stream in streams {
        reading.spawn(async move {
            let mut seen = HashSet::new();
            while seen.len() < ROWS {
                let row = stream.row().await.row;
                assert!(seen.insert((row.product_id, row.window)), "a row came twice");
            }
            stream
        });
    }
    for burst in 0..10 {
        for partition in 0..PARTITIONS {
            let rows = (0..10).map(|number| row(&format!("{partition}-{burst}-{number}"), 1, false, 1));
            topic.send(partition, rows).await;
        }
        let top = client.get(format!("{}/analytics/top?limit=1", gateway.url)).send().await.unwrap();
        assert_eq!(top.status(), 200);
    }
    let streams = reading.join_all().await;
    assert_eq!(streams.len(), STREAMS);
    println!(
        "resident: {before} KiB with no stream, {open} KiB with {STREAMS}, {} KiB after {ROWS} rows each",
        gateway.resident()
    );
}
