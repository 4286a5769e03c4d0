//! The command line.

use std::num::NonZero;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::files::Step;

/// Programs without a dataflow, to measure Footfall against
#[derive(Parser)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Counts the users of each product and minute in files of events, one thread for each file. Each user's events must
    /// be in one file, as `dataflow generate` writes them
    Files {
        /// Where the rows go, as lines of JSON
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
        /// Go no further than this: what a step costs is the difference to the step before
        #[arg(long, value_enum, default_value = "count")]
        through: Step,
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
