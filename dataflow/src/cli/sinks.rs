//! From `--sink`, `--rejects` and `--late` to sinks.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use tokio::runtime::Handle;

use super::args::{JobArgs, SinkSpec, SourceSpec};
use crate::error::Error;
use crate::job::SinkPlan;
use crate::kafka::topic;
use crate::metrics::Metrics;
use crate::output::{self, Output};
use crate::sink::dynamodb::{DynamoDbSink, WriteMode};
use crate::sink::kafka::{KafkaSink, Topics};
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
pub(super) fn check_against_inputs(args: &JobArgs, inputs: &[crate::source::Input]) -> Result<(), Error> {
    let outputs = args.sinks.iter().filter_map(|sink| match sink {
        SinkSpec::Ndjson(path) => Some(path),
        _ => None,
    });
    for output in outputs.chain(&args.rejects).chain(&args.late).filter(|path| path.is_file()) {
        let path_of = |input: &crate::source::Input| match input.name.as_str() {
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

/// Opens every sink.
pub(super) fn open(
    args: &JobArgs,
    mode: WriteMode,
    metrics: &Metrics,
    runtime: &Handle,
) -> Result<Vec<SinkPlan>, Error> {
    let mut plans = Vec::new();
    // Files come last: until all others are connected, an interrupt ends the program at once, and must find no file
    // half written.
    let mut specs: Vec<&SinkSpec> = args.sinks.iter().collect();
    specs.sort_by_key(|spec| matches!(spec, SinkSpec::Ndjson(path) if place_of(path).is_some()));
    for spec in specs {
        plans.push(open_sink(spec, args, mode, metrics, runtime)?);
    }
    if args.rejects.is_some() || args.late.is_some() {
        let rejects = args.rejects.as_deref().map(Output::create).transpose()?;
        let late = args.late.as_deref().map(Output::create).transpose()?;
        let sink = Box::new(QuarantineFiles::new(rejects, late, metrics.sink("quarantine")));
        plans.push(SinkPlan { sink, rows: None, keeps_quarantined: true });
    }
    Ok(plans)
}

fn open_sink(
    spec: &SinkSpec,
    args: &JobArgs,
    mode: WriteMode,
    metrics: &Metrics,
    runtime: &Handle,
) -> Result<SinkPlan, Error> {
    let of_rows = |sink, spread| SinkPlan { sink, rows: Some(spread), keeps_quarantined: false };
    Ok(match spec {
        SinkSpec::Stdout => {
            of_rows(Box::new(NdjsonSink::new(Output::stdout(), metrics.sink("stdout"))), Spread::OneWriter)
        }
        SinkSpec::Table => {
            of_rows(Box::new(TableSink::new(Output::stdout(), metrics.sink("stdout"))), Spread::OneWriter)
        }
        SinkSpec::Ndjson(path) => {
            of_rows(Box::new(NdjsonSink::new(Output::create(path)?, metrics.sink("ndjson"))), Spread::OneWriter)
        }
        SinkSpec::Kafka => {
            let sink = Box::new(KafkaSink::connect(&args.kafka, topics(args), metrics.sink("kafka"))?);
            SinkPlan { sink, rows: Some(Spread::OneWriter), keeps_quarantined: true }
        }
        SinkSpec::DynamoDb => {
            let metrics = metrics.sink("dynamodb");
            let sink = DynamoDbSink::connect(&args.dynamodb, mode, metrics, runtime.clone())?;
            of_rows(Box::new(sink), Spread::EveryWorker)
        }
    })
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
