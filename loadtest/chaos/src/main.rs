//! The crash suite: runs the Footfall job on a real Kafka and a DynamoDB, kills, stops, cuts off and throttles it, and
//! compares every row that comes out with an answer key. See README.md.

mod args;
mod backlog;
mod chart;
mod memory;
mod model;
mod progress;
mod proxy;
mod report;
mod resume;
mod scenario;
mod stage;
mod suite;
mod supervisor;
mod tally;
mod verify;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let is_same = suite::run(&args::Args::parse()).unwrap_or_else(|trouble| {
        eprintln!("chaos: {trouble}");
        false
    });
    if is_same { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
