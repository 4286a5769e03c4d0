//! The table for people, and the file for programs.

use std::fs;
use std::path::{Path, PathBuf};

use kit::Trouble;
use kit::table;
use serde::Serialize;

use crate::args::{Args, Sinks};
use crate::figures::Figures;
use crate::measurement::Outcome;
use crate::moment::Moment;

/// Targets for the 99th percentile, of the job with the Kafka sink alone, in milliseconds.
const FINAL_TARGET: f64 = 500.0;
const LIVE_TARGET: f64 = 1500.0;

/// The table: some lines for each setting.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let head = ["events/s", "sinks", "rows", "number", "p50 ms", "p99 ms", "max ms", "target p99"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    for Outcome { setting, latencies, .. } in outcomes {
        let is_alone = setting.sinks == Sinks::Kafka;
        for (what, figures, target) in [
            ("final, read from Kafka", latencies.final_rows, is_alone.then_some(FINAL_TARGET)),
            ("of it until sent", latencies.final_rows_sent, None),
            ("final, in DynamoDB", latencies.final_rows_stored, None),
            ("live, read from Kafka", latencies.live_rows, is_alone.then_some(LIVE_TARGET)),
            ("of it until sent", latencies.live_rows_sent, None),
        ] {
            let Some(figures) = figures else { continue };
            let sinks = if is_alone { "kafka" } else { "kafka, dynamodb" };
            let mut line = vec![setting.rate.to_string(), sinks.to_owned(), what.to_owned()];
            line.extend(cells(figures, target));
            lines.push(line);
        }
    }
    table::aligned(&lines)
}

fn cells(figures: Figures, target: Option<f64>) -> [String; 5] {
    let Figures { rows, p50, p99, max } = figures;
    let millis = |millis: f64| format!("{millis:.0}");
    let verdict = |target: f64| format!("{} {target:.0}", if p99 < target { "met" } else { "MISSED" });
    [rows.to_string(), millis(p50), millis(p99), millis(max), target.map_or(String::new(), verdict)]
}

/// How busy the machine was, and what is wrong: lines below the table.
pub(crate) fn notes(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for Outcome { setting, latencies, load, events, findings } in outcomes {
        text += &format!(
            "{} events/s, {:?}: {} windows of {events} events; of {:.0} cores {:.2} busy, job {:.2}, Kafka {:.2}, load \
             average {:.1}\n",
            setting.rate, setting.sinks, latencies.windows, load.cores, load.busy, load.job, load.broker, load.average
        );
        findings.iter().for_each(|finding| text += &format!("  WRONG: {finding}\n"));
    }
    text
}

/// A run as it is kept.
#[derive(Serialize)]
struct Run<'a> {
    started: &'a str,
    windows: u32,
    speed: u64,
    products: u32,
    users: u32,
    partitions: u32,
    workers: u32,
    fetch_wait_ms: u32,
    job_flags: &'a [String],
    outcomes: &'a [Outcome],
}

/// Writes the run into the folder of results; the file's name is the time of its start.
pub(crate) fn write(args: &Args, started: Moment, outcomes: &[Outcome]) -> Result<PathBuf, Trouble> {
    let time = schemas::EventTime::from_millis(started.millis()).map_err(|_| "the clock is wrong")?.to_string();
    let Args { windows, speed, products, users, partitions, workers, fetch_wait, ref flags, .. } = *args;
    let run = Run {
        started: &time,
        windows,
        speed,
        products,
        users,
        partitions,
        workers,
        fetch_wait_ms: fetch_wait,
        job_flags: flags,
        outcomes,
    };
    fs::create_dir_all(&args.results)?;
    let path = Path::new(&args.results).join(format!("{}.json", time.replace(':', "-")));
    fs::write(&path, serde_json::to_string_pretty(&run)? + "\n")?;
    Ok(path)
}
