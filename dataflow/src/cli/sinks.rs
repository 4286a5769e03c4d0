//! From `--sink`, `--rejects` and `--late` to sinks.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use tokio::runtime::Handle;

use super::args::{JobArgs, SinkSpec, SourceSpec};
use crate::error::Error;
use crate::job::{Job, SinkPlan};
use crate::kafka::topic;
use crate::metrics::Metrics;
use crate::output::{self, Output};
use crate::sink::Sink;
use crate::sink::dynamodb::{DynamoDb, JobSink, WriteMode};
use crate::sink::kafka::{KafkaOutput, KafkaSink, Topics};
use crate::sink::ndjson::NdjsonSink;
use crate::sink::operator::Spread;
use crate::sink::quarantine::QuarantineFiles;
use crate::sink::table::TableSink;

/// Checks that no two outputs are one place; to be called before anything is opened.
pub(super) fn check(args: &JobArgs) -> Result<(), Error> {
    let files = args.rejects.iter().chain(&args.late).filter_map(|path| place_of(path));
    let sinks = args.sinks.iter().filter_map(|sink| match sink {
        SinkSpec::Stdout | SinkSpec::Table => Some("standard output".to_owned()),
        SinkSpec::Ndjson(path) => place_of(path),
        SinkSpec::Kafka => Some("kafka".to_owned()),
        SinkSpec::DynamoDb => Some("dynamodb".to_owned()),
    });
    let mut places: Vec<String> = Vec::new();
    for place in sinks.chain(files) {
        if places.contains(&place) {
            return Err(Error::Usage(format!("{place} is the place of two outputs; give each a place of its own")));
        }
        places.push(place);
    }
    Ok(())
}

/// A file's path, made comparable; none of a device or pipe, which takes any number of outputs.
fn place_of(path: &Path) -> Option<String> {
    if path.exists() && !path.is_file() {
        return None;
    }
    Some(output::destination(path).unwrap_or_else(|_| path.to_owned()).display().to_string())
}

/// Refuses an output that would replace an input.
pub(super) fn check_against_inputs(args: &JobArgs, inputs: &[String]) -> Result<(), Error> {
    let outputs = args.sinks.iter().filter_map(|sink| match sink {
        SinkSpec::Ndjson(path) => Some(path),
        _ => None,
    });
    for output in outputs.chain(&args.rejects).chain(&args.late).filter(|path| path.is_file()) {
        let path_of = |input: &str| match input {
            // A file may come in there by `<`.
            "-" => PathBuf::from("/dev/stdin"),
            name => PathBuf::from(name),
        };
        if inputs.iter().any(|input| place_of(&path_of(input)) == place_of(output)) {
            let place = output.display();
            return Err(Error::Usage(format!("{place} is an input and an output; write to another file")));
        }
    }
    Ok(())
}

/// What the `kafka` sink writes.
pub(super) fn kafka_output(args: &JobArgs, metrics: &Metrics) -> Result<KafkaOutput, Error> {
    KafkaOutput::connect(&args.kafka, topics(args), metrics.sink("kafka"))
}

/// Opens the sinks of this process: all of them in the first one, and in others those that every worker writes to.
/// `mode`: as whom DynamoDB is written to; none: as the job, once it has its epoch. `in_transactions`: what goes to Kafka
/// goes there with the resume records.
pub(super) fn open(
    args: &JobArgs,
    mode: Option<WriteMode>,
    is_first: bool,
    in_transactions: bool,
    job: &Job,
    runtime: &Handle,
) -> Result<Vec<SinkPlan>, Error> {
    let metrics = &job.metrics;
    let mut plans = Vec::new();
    // Files come last: until all others are connected, an interrupt ends the program at once, and must find no file
    // half written.
    let is_opened = |spec: &&SinkSpec| match spec {
        SinkSpec::DynamoDb => true,
        SinkSpec::Kafka => is_first && !in_transactions,
        _ => is_first,
    };
    let mut specs: Vec<&SinkSpec> = args.sinks.iter().filter(is_opened).collect();
    specs.sort_by_key(|spec| matches!(spec, SinkSpec::Ndjson(path) if place_of(path).is_some()));
    for spec in specs {
        plans.push(open_sink(spec, args, mode, job, runtime)?);
    }
    if is_first && (args.rejects.is_some() || args.late.is_some()) {
        let rejects = args.rejects.as_deref().map(|path| open_file(path, job)).transpose()?;
        let late = args.late.as_deref().map(|path| open_file(path, job)).transpose()?;
        let sink = Box::new(QuarantineFiles::new(rejects, late, metrics.sink("quarantine")));
        plans.push(SinkPlan { sink, rows: None, keeps_quarantined: true });
    }
    Ok(plans)
}

fn open_sink(
    spec: &SinkSpec,
    args: &JobArgs,
    mode: Option<WriteMode>,
    job: &Job,
    runtime: &Handle,
) -> Result<SinkPlan, Error> {
    let metrics = &job.metrics;
    let of_rows = |sink: Box<dyn Sink>, spread| SinkPlan { sink, rows: Some(spread), keeps_quarantined: false };
    Ok(match spec {
        SinkSpec::Stdout => {
            of_rows(Box::new(NdjsonSink::new(Output::stdout(), metrics.sink("stdout"))), Spread::OneWriter)
        }
        SinkSpec::Table => {
            of_rows(Box::new(TableSink::new(Output::stdout(), metrics.sink("stdout"))), Spread::OneWriter)
        }
        SinkSpec::Ndjson(path) => {
            of_rows(Box::new(NdjsonSink::new(open_file(path, job)?, metrics.sink("ndjson"))), Spread::OneWriter)
        }
        SinkSpec::Kafka => {
            let sink = Box::new(KafkaSink::new(&args.kafka, kafka_output(args, metrics)?)?);
            SinkPlan { sink, rows: Some(Spread::OneWriter), keeps_quarantined: true }
        }
        SinkSpec::DynamoDb => {
            let dynamo = DynamoDb::connect(&args.dynamodb, job.metrics.sink("dynamodb"), runtime.clone())?;
            let sink: Box<dyn Sink> = match mode {
                Some(mode) => Box::new(dynamo.into_sink(mode)),
                None => Box::new(JobSink::new(dynamo, &job.control)?),
            };
            of_rows(sink, Spread::EveryWorker)
        }
    })
}

/// A file for rows or records. A job that goes on where it was appends to it, so that what it has recorded as durable is.
fn open_file(path: &Path, job: &Job) -> Result<Output, Error> {
    if job.control.is_resumable() { Output::append(path) } else { Output::create(path) }
}

/// Creates the topics that the job uses and the broker lacks, where that is asked for.
pub(super) fn create_topics(args: &JobArgs) -> Result<(), Error> {
    if !args.topics.create_topics {
        return Ok(());
    }
    if args.source == SourceSpec::Kafka {
        topic::create_missing(&args.kafka, &[&args.topics.input_topic], topic::DEFAULT_PARTITIONS)?;
    }
    if args.sinks.contains(&SinkSpec::Kafka) {
        let Topics { results, late, rejected } = topics(args);
        topic::create_missing(&args.kafka, &[&results, &late, &rejected], 1)?;
    }
    Ok(())
}

fn topics(args: &JobArgs) -> Topics {
    Topics {
        results: args.topics.output_topic.clone(),
        late: args.topics.late_topic.clone(),
        rejected: args.topics.rejected_topic.clone(),
    }
}

/// Whether late and rejected records are kept anywhere.
pub(super) fn keep_quarantined(args: &JobArgs) -> bool {
    args.rejects.is_some() || args.late.is_some() || args.sinks.contains(&SinkSpec::Kafka)
}

/// Whether rows appear on the terminal that a person watches.
pub(super) fn write_to_terminal(args: &JobArgs) -> bool {
    let to_stdout = args.sinks.iter().any(|sink| matches!(sink, SinkSpec::Stdout | SinkSpec::Table));
    to_stdout && std::io::stdout().is_terminal()
}

/// Where rejected and late records are kept, in words.
pub(super) fn places_of_quarantine(args: &JobArgs) -> (Option<String>, Option<String>) {
    let in_kafka = args.sinks.contains(&SinkSpec::Kafka);
    let place = |file: &Option<PathBuf>, topic: &str| match (file, in_kafka) {
        (Some(path), true) => Some(format!("{} and topic {topic}", path.display())),
        (Some(path), false) => Some(path.display().to_string()),
        (None, true) => Some(format!("topic {topic}")),
        (None, false) => None,
    };
    (place(&args.rejects, &args.topics.rejected_topic), place(&args.late, &args.topics.late_topic))
}
