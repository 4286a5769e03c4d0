//! The limit: what a program written by hand for the one task does on the same machine, without a dataflow. Footfall's
//! figures are given as parts of it; see `loadtest/peers`.

mod files;
mod poll;

use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What can go wrong, in a sentence.
type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// Programs without a dataflow, to measure Footfall against
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Counts the users of each product and minute in files of events, one thread for each file. Each user's events must
    /// be in one file, as `dataflow generate` writes them
    Files {
        /// Where the rows go, as lines of JSON
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
        /// Go no further than this: what a step costs is the difference to the step before
        #[arg(long, value_enum, default_value = "count")]
        through: files::Step,
        /// Files of events, a line of JSON each
        #[arg(required = true)]
        inputs: Vec<PathBuf>,
    },
    /// Reads a topic up to where it ends now, and counts nothing but bytes
    Poll {
        /// Brokers to begin with
        #[arg(long, value_name = "HOST:PORT,...", env = "KAFKA_BOOTSTRAP_SERVERS")]
        kafka_bootstrap_servers: String,
        /// The topic
        #[arg(long)]
        topic: String,
        /// How many threads read, each with a client of its own
        #[arg(long, default_value = "2")]
        threads: NonZero<usize>,
    },
}

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
