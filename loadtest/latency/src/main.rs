//! Measures how long rows take, on a real Kafka and a DynamoDB emulator: final rows from the event that closes their
//! window, live rows from the event that completes their count. See README.md.

mod args;
mod arrivals;
mod figures;
mod key;
mod machine;
mod measurement;
mod moment;
mod report;
mod rows;
mod store;
mod suite;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let is_right = suite::run(&args::Args::parse()).unwrap_or_else(|trouble| {
        eprintln!("latency: {trouble}");
        false
    });
    if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
