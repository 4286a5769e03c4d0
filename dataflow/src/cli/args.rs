//! The flags of `run`, `replay` and `demo`. Their doc comments are the reference manual.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use clap::builder::{BoolishValueParser, NonEmptyStringValueParser, RangedU64ValueParser};
use kafka_client::raw_events;
use schemas::{EventTime, names};

use crate::classify::Rules;
use crate::cluster::ClusterArgs;
use crate::cluster::args::MAX_PROCESSES;
use crate::commit::kafka::From;
use crate::duration;
use crate::error::Error;
use crate::kafka::KafkaArgs;
use crate::sink::dynamodb::DynamoDbArgs;

/// How far a Kafka record's event may be dated after the record.
const DEFAULT_MAX_FUTURE_SKEW: Duration = Duration::from_secs(5 * 60);
/// Every worker has a channel to every other: beyond this the channels alone take longer than the work.
const MAX_WORKERS: u64 = 256;

/// The flags of `dataflow run`.
#[derive(Args, Clone, Debug)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) job: JobArgs,

    /// Where /metrics, /healthz and /readyz are served; `off` serves nothing.
    #[arg(
        long,
        env = "ADMIN_ADDR",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:9600",
        help_heading = "Metrics and health"
    )]
    pub(super) admin_addr: AdminAddr,

    /// Run the job in this many processes on this machine, and start all of them again when one fails. The address of
    /// the metrics is that of the first process; each further one has the next port.
    #[arg(long, env = "FOOTFALL_PROCESSES", value_name = "N", help_heading = "Several processes",
        conflicts_with_all = ["cluster_processes", "process", "hosts"],
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=MAX_PROCESSES))]
    pub(super) processes: Option<usize>,

    #[command(flatten)]
    pub(super) cluster: ClusterArgs,

    #[command(flatten)]
    pub(super) resume: ResumeArgs,

    #[command(flatten)]
    pub(super) idle: IdleArgs,

    #[command(flatten)]
    pub(super) live: LiveArgs,
}

/// Where a run of a topic goes on when it is started again.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Restart")]
pub(super) struct ResumeArgs {
    /// `exactly-once` commits rows, late and rejected records and the place to go on from in one Kafka transaction.
    /// `at-least-once` is for brokers without transactions: the place is kept in the file of --resume, and rows may be
    /// written again after a crash, though never other ones.
    #[arg(long, env = "FOOTFALL_DELIVERY", value_name = "GUARANTEE", value_enum, default_value = "exactly-once")]
    pub(super) delivery: Delivery,

    #[command(flatten)]
    pub(super) group: GroupArgs,

    /// Where the place to go on from is kept, as `file:PATH`; with `--delivery at-least-once` alone.
    #[arg(long, env = "FOOTFALL_RESUME", value_name = "file:PATH", value_parser = parse_resume)]
    pub(super) resume: Option<PathBuf>,

    /// Where to begin when there is no place to go on from: `beginning`, `end` or a time, such as 2024-01-01T12:00:00Z,
    /// from which on the broker has got the records.
    #[arg(long, env = "FOOTFALL_FROM", value_name = "PLACE", default_value = "beginning", value_parser = parse_from)]
    pub(super) from: From,

    /// How long late and rejected records and the place to go on from may wait to be committed. Rows of a window that
    /// has closed and live counts do not wait.
    #[arg(long, env = "FOOTFALL_COMMIT_INTERVAL", value_name = "DURATION", default_value = "1s",
        value_parser = duration::parse)]
    pub(super) commit_interval: Duration,
}

/// Whose place it is.
#[derive(Args, Clone, Debug)]
pub(super) struct GroupArgs {
    /// The consumer group that keeps the place to go on from, one for each job. A new name begins anew.
    #[arg(long, env = "FOOTFALL_GROUP", value_name = "NAME", default_value = "footfall-dataflow",
        value_parser = NonEmptyStringValueParser::new(), help_heading = "Restart")]
    pub(super) group: String,

    /// Where the job runs, such as `staging`: with the group it makes the transactional id, which one job may have at a
    /// time.
    #[arg(long, env = "FOOTFALL_ENVIRONMENT", value_name = "NAME", default_value = "local",
        value_parser = NonEmptyStringValueParser::new(), help_heading = "Restart")]
    pub(super) environment: String,
}

/// What a run guarantees of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Delivery {
    /// Each once.
    ExactlyOnce,
    /// Each once or several times.
    AtLeastOnce,
}

/// What happens when nothing comes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Idle partitions")]
pub(super) struct IdleArgs {
    /// After how long without a valid record a partition that has been read to its end no longer holds the others up;
    /// 0s = never.
    #[arg(long, env = "FOOTFALL_IDLE_TIMEOUT", value_name = "DURATION", default_value = "30s",
        value_parser = duration::parse)]
    pub(super) idle_timeout: Duration,

    /// When all partitions are idle: `advance` lets the clock close the last open window, `freeze` waits for the next
    /// event.
    #[arg(long, env = "FOOTFALL_ON_ALL_IDLE", value_name = "WHAT", value_enum, default_value = "advance")]
    pub(super) on_all_idle: AllIdle,
}

/// What happens when all partitions are idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum AllIdle {
    /// The clock closes the last open window.
    Advance,
    /// Windows stay open.
    Freeze,
}

/// Counts of windows that are still open.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Live counts")]
pub(super) struct LiveArgs {
    /// How often the running counts of open windows go to the results topic, at most, for products that changed; 0s =
    /// never. Only the sinks `kafka` and `dynamodb` get them.
    #[arg(long, env = "FOOTFALL_LIVE_INTERVAL", value_name = "DURATION", default_value = "1s",
        value_parser = duration::parse)]
    pub(super) live_interval: Duration,

    /// How many of them at a time, at most; those that have grown most come first.
    #[arg(long, env = "FOOTFALL_LIVE_MAX_ROWS", value_name = "N", default_value_t = 1_000)]
    pub(super) live_max_rows: usize,

    /// How often they go to DynamoDB; 0s = never.
    #[arg(long, env = "FOOTFALL_LIVE_STORE_INTERVAL", value_name = "DURATION", default_value = "10s",
        value_parser = duration::parse)]
    pub(super) live_store_interval: Duration,
}

fn parse_resume(text: &str) -> Result<PathBuf, String> {
    match text.strip_prefix("file:") {
        Some("") => Err("there is no path after `file:`".to_owned()),
        Some(path) => Ok(path.into()),
        None => Err(format!("write file:{text}")),
    }
}

fn parse_from(text: &str) -> Result<From, String> {
    match text {
        "beginning" => Ok(From::Beginning),
        "end" => Ok(From::End),
        time => EventTime::parse(time.as_bytes())
            .map(From::Time)
            .map_err(|_| "write beginning, end or a time such as 2024-01-01T12:00:00Z".to_owned()),
    }
}

/// The flags of `dataflow replay`.
#[derive(Args, Clone, Debug)]
pub(super) struct ReplayArgs {
    #[command(flatten)]
    pub(super) job: JobArgs,

    /// Replace rows that a running job has written to DynamoDB. Without it, they are left alone and the replay fails.
    #[arg(long, env = "FOOTFALL_OVERWRITE", value_parser = BoolishValueParser::new(), help_heading = "DynamoDB")]
    pub(super) overwrite: bool,

    /// Where /metrics, /healthz and /readyz are served; `off` serves nothing.
    #[arg(
        long,
        env = "ADMIN_ADDR",
        value_name = "HOST:PORT",
        default_value = "off",
        help_heading = "Metrics and health"
    )]
    pub(super) admin_addr: AdminAddr,
}

/// The flags of `dataflow demo`.
#[derive(Args, Clone, Debug)]
pub(super) struct DemoArgs {
    /// Seconds of event time per second on the wall: at 60, a window closes every second.
    #[arg(long, env = "FOOTFALL_DEMO_SPEED", value_name = "FACTOR", default_value_t = 60.0)]
    pub(super) speed: f64,

    /// Events per second.
    #[arg(long, env = "FOOTFALL_DEMO_RATE", value_name = "N", default_value_t = 20_000)]
    pub(super) rate: u64,

    /// End after this many events; 0 = go on until stopped.
    #[arg(long, env = "FOOTFALL_DEMO_EVENTS", value_name = "N", default_value_t = 0)]
    pub(super) events: u64,
}

impl Default for DemoArgs {
    fn default() -> Self {
        DemoArgs { speed: 60.0, rate: 20_000, events: 0 }
    }
}

/// What `run` and `replay` have in common.
#[derive(Args, Clone, Debug)]
pub(super) struct JobArgs {
    /// Where events come from: `kafka`, `file:PATH` (a file, a pipe, a folder or a glob pattern; each file is a
    /// partition, in the order of paths) or `-` (standard input). What is compressed with gzip or Zstandard is
    /// decompressed.
    #[arg(long, env = "FOOTFALL_SOURCE", value_name = "SOURCE", default_value = "kafka")]
    pub(super) source: SourceSpec,

    /// Where final rows go: `stdout` (a line of JSON each), `ndjson:PATH` (the same in a file, which appears when the
    /// job has ended well; a run of a topic appends to it), `kafka`, `dynamodb` or `table` (the most viewed products of each window, for people).
    /// Repeatable; in the variable separated by commas.
    #[arg(long = "sink", env = "FOOTFALL_SINKS", value_name = "SINK", value_delimiter = ',', default_value = "stdout")]
    pub(super) sinks: Vec<SinkSpec>,

    /// How many workers share the work [default: one for each processor core].
    #[arg(short, long, env = "FOOTFALL_WORKERS", value_name = "N",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=MAX_WORKERS))]
    pub(super) workers: Option<usize>,

    #[command(flatten)]
    pub(super) rules: RuleArgs,

    /// How many windows a partition may be read ahead of the slowest one; 0 = any number. It bounds the memory of a
    /// replay over unequal partitions.
    #[arg(long, env = "FOOTFALL_MAX_PARTITION_SKEW", value_name = "WINDOWS", default_value_t = 2)]
    pub(super) max_partition_skew: u32,

    /// Keep rejected records in this file, a line of JSON each. The `kafka` sink keeps them in a topic.
    #[arg(long, env = "FOOTFALL_REJECTS", value_name = "PATH")]
    pub(super) rejects: Option<PathBuf>,

    /// Keep late records in this file, a line of JSON each. The `kafka` sink keeps them in a topic.
    #[arg(long, env = "FOOTFALL_LATE", value_name = "PATH")]
    pub(super) late: Option<PathBuf>,

    /// End with exit code 65 if any record was rejected.
    #[arg(long, env = "FOOTFALL_STRICT", value_parser = BoolishValueParser::new())]
    pub(super) strict: bool,

    #[command(flatten)]
    pub(super) topics: TopicArgs,

    #[command(flatten)]
    pub(super) kafka: KafkaArgs,

    #[command(flatten)]
    pub(super) dynamodb: DynamoDbArgs,
}

/// What the counts depend on: a job cannot go on from the place that one with other rules has left.
#[derive(Args, Clone, Debug)]
pub(super) struct RuleArgs {
    /// Count only events of these types, separated by commas [default: all].
    #[arg(long, env = "FOOTFALL_EVENT_TYPES", value_name = "TYPE,...", value_delimiter = ',',
        value_parser = NonEmptyStringValueParser::new())]
    pub(super) event_types: Vec<String>,

    /// By how much the events of a partition may be out of order before they are late.
    #[arg(long, env = "FOOTFALL_OUT_OF_ORDERNESS", value_name = "DURATION", default_value = "10s",
        value_parser = duration::parse)]
    pub(super) out_of_orderness: Duration,

    /// How long after its close a window still takes events; each then changes the window's row, which is written again
    /// with a higher revision. Such changes come when the present window closes.
    #[arg(long, env = "FOOTFALL_ALLOWED_LATENESS", value_name = "DURATION", default_value = "0s",
        value_parser = duration::parse)]
    pub(super) allowed_lateness: Duration,

    /// How far an event may be dated after its Kafka record before it is rejected [default: 5m]. Files have no such
    /// check unless this is given; then the clock is what their events are compared with.
    #[arg(long, env = "FOOTFALL_MAX_FUTURE_SKEW", value_name = "DURATION", value_parser = duration::parse)]
    pub(super) max_future_skew: Option<Duration>,
}

impl RuleArgs {
    /// The rules for a source; what comes from Kafka has a time by the broker, which events are compared with.
    pub(super) fn rules(&self, source: &SourceSpec) -> Rules {
        let default_skew = (*source == SourceSpec::Kafka).then_some(DEFAULT_MAX_FUTURE_SKEW);
        Rules {
            out_of_orderness: self.out_of_orderness,
            max_future_skew: self.max_future_skew.or(default_skew),
            allowed_lateness: self.allowed_lateness,
            event_types: self.event_types.clone(),
        }
    }
}

/// The flags of `dataflow resume show` and `dataflow resume plan`.
#[derive(Args, Clone, Debug)]
pub(super) struct ResumeShowArgs {
    /// The topic that the records are about.
    #[arg(long, env = "KAFKA_INPUT_TOPIC", value_name = "TOPIC", default_value_t = default_input_topic())]
    pub(super) input_topic: String,

    #[command(flatten)]
    pub(super) group: GroupArgs,

    /// The file that keeps the place to go on from, as `file:PATH`, of a job that runs at least once.
    #[arg(long, env = "FOOTFALL_RESUME", value_name = "file:PATH", value_parser = parse_resume)]
    pub(super) resume: Option<PathBuf>,

    #[command(flatten)]
    pub(super) rules: RuleArgs,

    #[command(flatten)]
    pub(super) kafka: KafkaArgs,
}

/// The topics of the job.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Topics")]
pub(super) struct TopicArgs {
    /// Raw events. The variable KAFKA_TOPIC means the same; if both are set they must agree.
    #[arg(long, env = "KAFKA_INPUT_TOPIC", value_name = "TOPIC", default_value_t = default_input_topic())]
    pub(super) input_topic: String,

    /// Result rows of the `kafka` sink.
    #[arg(long, env = "KAFKA_OUTPUT_TOPIC", value_name = "TOPIC", default_value = names::RESULTS_TOPIC)]
    pub(super) output_topic: String,

    /// Late records of the `kafka` sink.
    #[arg(long, env = "KAFKA_LATE_TOPIC", value_name = "TOPIC", default_value = names::LATE_EVENTS_TOPIC)]
    pub(super) late_topic: String,

    /// Rejected records of the `kafka` sink.
    #[arg(long, env = "KAFKA_REJECTED_TOPIC", value_name = "TOPIC", default_value = names::REJECTED_EVENTS_TOPIC)]
    pub(super) rejected_topic: String,

    /// Create topics that are missing, for local use: 4 partitions for events, 1 for the others.
    #[arg(long, env = "FOOTFALL_CREATE_TOPICS", value_parser = BoolishValueParser::new())]
    pub(super) create_topics: bool,
}

/// The topic of raw events where no flag and no variable of its own names it.
pub(super) fn default_input_topic() -> String {
    raw_events::default_topic(raw_events::TOPIC)
}

/// Refuses two names for one topic.
///
/// # Errors
/// [`Error::Usage`] when the variable `KAFKA_TOPIC` names another topic.
pub(super) fn check_input_topic(topic: &str) -> Result<(), Error> {
    let other = raw_events::TOPIC;
    Ok(raw_events::check(topic, other, raw_events::named_by(other).as_deref())?)
}

/// Where events come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SourceSpec {
    /// The input topic.
    Kafka,
    /// Files, by path or pattern.
    Files(String),
    /// Standard input.
    StandardInput,
}

impl FromStr for SourceSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("file:") {
            Some("") => Err("there is no path after `file:`".to_owned()),
            Some(path) => Ok(SourceSpec::Files(path.to_owned())),
            None if text == "kafka" => Ok(SourceSpec::Kafka),
            None if text == "-" => Ok(SourceSpec::StandardInput),
            None => Err(format!("use kafka, file:PATH or -; for files write file:{text}")),
        }
    }
}

/// Where final rows go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SinkSpec {
    /// Lines of JSON on standard output.
    Stdout,
    /// A table for people on standard output.
    Table,
    /// Lines of JSON in a file.
    Ndjson(PathBuf),
    /// The results topic.
    Kafka,
    /// The analytics table.
    DynamoDb,
}

impl FromStr for SinkSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("ndjson:")) {
            (_, Some("")) => Err("there is no path after `ndjson:`".to_owned()),
            (_, Some(path)) => Ok(SinkSpec::Ndjson(path.into())),
            ("stdout", _) => Ok(SinkSpec::Stdout),
            ("table", _) => Ok(SinkSpec::Table),
            ("kafka", _) => Ok(SinkSpec::Kafka),
            ("dynamodb", _) => Ok(SinkSpec::DynamoDb),
            _ => Err("use stdout, ndjson:PATH, kafka, dynamodb or table".to_owned()),
        }
    }
}

/// An address to listen on, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AdminAddr(pub(super) Option<SocketAddr>);

impl FromStr for AdminAddr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(AdminAddr(None));
        }
        text.parse()
            .map(|address| AdminAddr(Some(address)))
            .map_err(|_| "write HOST:PORT with a numeric host, or off".to_owned())
    }
}

impl fmt::Display for AdminAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("off"),
        }
    }
}
