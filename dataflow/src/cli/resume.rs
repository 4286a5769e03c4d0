//! From the flags about restarts to a home for resume records, and what processes must have in common.

use std::collections::BTreeMap;

use schemas::EventTime;

use super::args::{Delivery, JobArgs, RunArgs, SinkSpec, SourceSpec};
use super::sinks;
use crate::classify::Rules;
use crate::clock;
use crate::cluster::Members;
use crate::commit::file::FileHome;
use crate::commit::home::Home;
use crate::commit::kafka::{KafkaHome, Source};
use crate::commit::ledger::Identity;
use crate::commit::record::Fingerprint;
use crate::duration::millis;
use crate::error::Error;
use crate::job::ResumePlan;
use crate::metrics::Metrics;

/// Refuses flags that do not go together.
pub(super) fn check(run: &RunArgs, members: &Members) -> Result<(), Error> {
    let is_kafka = run.job.source == SourceSpec::Kafka;
    match (run.resume.delivery, &run.resume.resume) {
        (Delivery::AtLeastOnce, None) if is_kafka => Err(Error::Usage(
            "--delivery at-least-once needs --resume file:PATH, where the place to go on from is kept".to_owned(),
        )),
        (Delivery::ExactlyOnce, Some(path)) => Err(Error::Usage(format!(
            "--resume file:{} goes with --delivery at-least-once alone; with exactly-once the place is kept in Kafka",
            path.display()
        ))),
        (_, Some(_)) if !is_kafka => {
            Err(Error::Usage("--resume is for --source kafka; files and standard input begin anew".to_owned()))
        }
        _ if !members.is_alone() && run.job.source == SourceSpec::StandardInput => Err(Error::Usage(
            "several processes cannot share standard input; read it in one process, or name a file".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// Where a run of a topic keeps its resume records.
pub(super) fn plan(run: &RunArgs, rules: &Rules, metrics: &Metrics) -> Result<ResumePlan, Error> {
    let identity = identity(&run.job.topics.input_topic, &run.resume.group.environment, rules);
    let source = Source {
        args: run.job.kafka.clone(),
        topic: run.job.topics.input_topic.clone(),
        from: run.resume.from,
        identity: identity.clone(),
    };
    let home: Box<dyn Home> = match &run.resume.resume {
        Some(path) => Box::new(FileHome::new(path.clone(), source)),
        None => {
            let has_kafka_sink = run.job.sinks.contains(&SinkSpec::Kafka);
            let output = has_kafka_sink.then(|| sinks::kafka_output(&run.job, metrics)).transpose()?;
            Box::new(KafkaHome::new(source, &run.resume.group.environment, &run.resume.group.group, output))
        }
    };
    Ok(ResumePlan { home, identity, interval: run.resume.commit_interval })
}

pub(super) fn identity(topic: &str, environment: &str, rules: &Rules) -> Identity {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let started = EventTime::from_millis(clock::now_millis()).unwrap_or(EventTime::MIN);
    Identity {
        settings: fingerprint(topic, environment, rules),
        // A name is at most 64 bytes on Linux.
        owner: format!("{host}:{},{started}", std::process::id()),
        out_of_orderness_millis: millis(rules.out_of_orderness),
        horizon_windows: rules.horizon_windows(),
    }
}

/// Of the settings that change what is counted, and of the environment: jobs that differ in it alone would not shut each
/// other out, and must not share their records.
fn fingerprint(topic: &str, environment: &str, rules: &Rules) -> Fingerprint {
    let mut event_types = rules.event_types.clone();
    event_types.sort();
    event_types.dedup();
    let text = format!(
        "environment={environment:?};topic={topic:?};out-of-orderness={};allowed-lateness={};max-future-skew={:?};event-types={event_types:?};window={}",
        millis(rules.out_of_orderness),
        millis(rules.allowed_lateness),
        rules.max_future_skew.map(millis),
        schemas::Window::MILLIS,
    );
    Fingerprint(xxhash_rust::xxh3::xxh3_64(text.as_bytes()))
}

/// What processes that run one job must have in common, by flag.
pub(super) fn settings_in_common(args: &JobArgs, run: Option<&RunArgs>, inputs: &[String]) -> BTreeMap<String, String> {
    let sinks: Vec<_> = args.sinks.iter().map(|sink| format!("{sink:?}")).collect();
    let mut settings = BTreeMap::from([
        ("--input-topic".to_owned(), args.topics.input_topic.clone()),
        ("--rejects".to_owned(), format!("{:?}", args.rejects)),
        ("--late".to_owned(), format!("{:?}", args.late)),
        ("--sink".to_owned(), sinks.join(",")),
        ("--event-types".to_owned(), format!("{:?}", args.rules.event_types)),
        ("--out-of-orderness".to_owned(), format!("{:?}", args.rules.out_of_orderness)),
        ("--allowed-lateness".to_owned(), format!("{:?}", args.rules.allowed_lateness)),
        ("--max-future-skew".to_owned(), format!("{:?}", args.rules.max_future_skew)),
        ("--max-partition-skew".to_owned(), args.max_partition_skew.to_string()),
    ]);
    if args.source != SourceSpec::Kafka {
        // Of a topic the first process tells how many it has.
        settings.insert("the number of files".to_owned(), inputs.len().to_string());
    }
    if let Some(run) = run {
        settings.extend([
            ("--group".to_owned(), run.resume.group.group.clone()),
            ("--environment".to_owned(), run.resume.group.environment.clone()),
            ("--delivery".to_owned(), format!("{:?}", run.resume.delivery)),
            ("--idle-timeout".to_owned(), format!("{:?}", run.idle.idle_timeout)),
            ("--on-all-idle".to_owned(), format!("{:?}", run.idle.on_all_idle)),
            ("--live-interval".to_owned(), format!("{:?}", run.live.live_interval)),
            ("--live-max-rows".to_owned(), run.live.live_max_rows.to_string()),
            ("--live-store-interval".to_owned(), format!("{:?}", run.live.live_store_interval)),
            ("--commit-interval".to_owned(), format!("{:?}", run.resume.commit_interval)),
        ]);
    }
    settings
}
