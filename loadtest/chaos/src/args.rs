//! The command line.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// Hurts the job in every way we know of, and compares every row with an answer key.
#[derive(clap::Parser, Clone, Debug)]
#[command(name = "loadtest/chaos/run")]
pub(crate) struct Args {
    /// A few faults of each kind, for CI: less than four minutes.
    #[arg(long)]
    pub(crate) short: bool,

    /// How often the job is killed at a random moment [default: 100; with --short 5].
    #[arg(long, value_name = "N")]
    cycles: Option<u32>,

    /// How often `recovery` starts the job again, and measures it.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) restarts: u32,

    /// How many events `backfill` reads, twice [default: 5000000; with --short 3000000; with a debug
    /// build 1000000].
    #[arg(long, value_name = "N")]
    events: Option<u64>,

    /// Where the random numbers start [default: drawn, and printed].
    #[arg(long, value_name = "S")]
    seed: Option<u64>,

    /// How many scenarios are played at the same time [default: 1; with --short 2].
    #[arg(long, value_name = "N")]
    lanes: Option<usize>,

    /// Keep the folder with logs and answer keys, also when nothing differs.
    #[arg(long)]
    pub(crate) keep: bool,

    /// The program that is tested [default: that of the workspace's release build].
    #[arg(long, value_name = "PATH")]
    pub(crate) dataflow: PathBuf,

    /// Only these scenarios, separated by commas.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub(crate) scenarios: Vec<String>,

    /// Print the scenarios and end.
    #[arg(long)]
    pub(crate) list: bool,

    /// For a program that knows no recovery, to test the suite itself: without faults nothing differs, and with
    /// --scenarios kill duplicates must be found.
    #[arg(long)]
    pub(crate) self_test: bool,
}

impl Args {
    /// How often the job is killed at a random moment.
    pub(crate) fn cycles(&self) -> u32 {
        self.cycles.unwrap_or(if self.short { 5 } else { 100 })
    }

    /// How many events `backfill` reads.
    pub(crate) fn events(&self) -> u64 {
        // The program does not tell how it was built, its place does.
        let is_debug = self.dataflow.parent().is_some_and(|folder| folder.ends_with("debug"));
        self.events.unwrap_or(match (is_debug, self.short) {
            (true, _) => 1_000_000,
            (false, true) => 3_000_000,
            (false, false) => 5_000_000,
        })
    }

    /// How many scenarios are played at the same time.
    pub(crate) fn lanes(&self) -> usize {
        self.lanes.unwrap_or(if self.short { 2 } else { 1 }).max(1)
    }

    /// The given seed, or one that was drawn.
    pub(crate) fn seed(&self) -> u64 {
        // The clock is random enough, and six digits are short enough to be copied by hand.
        let drawn = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_micros() % 1_000_000);
        self.seed.unwrap_or_else(|| drawn() as u64)
    }
}
