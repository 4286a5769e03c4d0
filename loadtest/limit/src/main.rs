//! The limit: what a program written by hand for the one task does on the same machine, without a dataflow. Footfall's
//! figures are given as parts of it; see `loadtest/peers`.

mod args;
mod files;
mod poll;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};

/// What can go wrong, in a sentence.
type Trouble = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Files { output, through, inputs } => files::count(&inputs, &output, through),
        Command::Poll { kafka_bootstrap_servers, topic, threads } => {
            poll::poll(&kafka_bootstrap_servers, &topic, threads)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("limit: {trouble}");
            ExitCode::FAILURE
        }
    }
}
