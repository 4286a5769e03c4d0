//! The command line.

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;

const RESULTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/results");

/// Where rows go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Sinks {
    /// The results topic alone.
    Kafka,
    /// The results topic, and DynamoDB before it.
    KafkaAndDynamodb,
}

/// Measures how long rows take, from the event that completes them to their readers.
#[derive(clap::Parser, Clone, Debug)]
#[command(name = "loadtest/latency/run")]
pub(crate) struct Args {
    /// How many closed windows are measured in each setting.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = RangedU64ValueParser::<u32>::new().range(1..=10_000))]
    pub(crate) windows: u32,

    /// How many windows go before them, in which the programs warm up.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) warm_up: u32,

    /// Event time per time on the wall: at 10 a window of a minute takes 6 s.
    #[arg(long, value_name = "FACTOR", default_value_t = 10, value_parser = RangedU64ValueParser::<u64>::new().range(1..=60))]
    pub(crate) speed: u64,

    /// Events per second on the wall, separated by commas.
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "10000,50000,100000")]
    pub(crate) rates: Vec<u64>,

    /// Where rows go, separated by commas.
    #[arg(
        long,
        value_enum,
        value_name = "SINKS,...",
        value_delimiter = ',',
        default_value = "kafka,kafka-and-dynamodb"
    )]
    pub(crate) sinks: Vec<Sinks>,

    /// How many products there are, the most popular first by Zipf's law.
    #[arg(long, value_name = "N", default_value_t = 2000)]
    pub(crate) products: u32,

    /// How many users there are.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) users: u32,

    /// Partitions of the topic of events, and of the topic of rows.
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub(crate) partitions: u32,

    /// Workers of the job.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) workers: u32,

    /// Where the random numbers of the events start.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,

    /// How long the broker may let the reader of rows wait for the next ones, in milliseconds; the client's default.
    #[arg(long, value_name = "MS", default_value_t = 500)]
    pub(crate) fetch_wait: u32,

    /// The program that is measured [default: that of the workspace's release build].
    #[arg(long, value_name = "PATH")]
    pub(crate) dataflow: PathBuf,

    /// The folder into which the results go as JSON.
    #[arg(long, value_name = "DIR", default_value = RESULTS)]
    pub(crate) results: PathBuf,

    /// Keep the folder with the job's logs.
    #[arg(long)]
    pub(crate) keep: bool,

    /// Further flags of the job, such as `-- --commit-interval 200ms`.
    #[arg(last = true, value_name = "FLAG")]
    pub(crate) flags: Vec<String>,
}
