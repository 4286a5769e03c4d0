//! `dataflow generate`: from flags to a stream that is written.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::BoolishValueParser;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};

use super::args::{check_input_topic, default_input_topic};
use crate::error::Error;
use crate::generate::{self, RecordWriter};
use crate::kafka::{KafkaArgs, Producer, topic};

/// The flags of `dataflow generate`.
#[derive(Args, Clone, Debug)]
pub(super) struct GenerateArgs {
    #[command(flatten)]
    stream: generate::Args,

    /// The topic that `--to kafka` writes to; it must have as many partitions as are generated.
    #[arg(long, env = "KAFKA_INPUT_TOPIC", value_name = "TOPIC", default_value_t = default_input_topic())]
    topic: String,

    /// Create the topic if it is missing, with as many partitions as are generated; for local use.
    #[arg(long, env = "FOOTFALL_CREATE_TOPICS", value_parser = BoolishValueParser::new())]
    create_topics: bool,

    #[command(flatten)]
    kafka: KafkaArgs,
}

/// Generates the stream; on the first interrupt it ends early, complete in itself.
pub(super) fn generate(args: &GenerateArgs) -> Result<(), Error> {
    let started = Instant::now();
    let shape = args.stream.shape()?;
    // Before there are files that an interrupt would leave half written.
    let stop = Arc::new(AtomicBool::new(false));
    let runtime = super::execute::runtime()?;
    stop_on_signal(&runtime, &stop)?;
    let writer = match args.stream.local_destination()? {
        Some(destination) => destination.open(shape.partitions)?,
        None => Box::new(TopicWriter::open(args, shape.partitions)?),
    };
    let answers = args.stream.answers(&shape)?;
    let bar = progress_bar(shape.events);
    let outcome = generate::run(&shape, writer, answers, &stop, &mut |events| bar.set_position(events));
    bar.finish_and_clear();
    let events = outcome?.events;
    let seconds = started.elapsed().as_secs_f64();
    super::logging::note(&format!("generated {} records in {seconds:.2} s", HumanCount(events)));
    Ok(())
}

fn stop_on_signal(runtime: &tokio::runtime::Runtime, stop: &Arc<AtomicBool>) -> Result<(), Error> {
    let _guard = runtime.enter();
    let unusable = |error| Error::Internal(format!("cannot handle signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unusable)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(unusable)?;
    let stop = Arc::clone(stop);
    runtime.spawn(async move {
        super::execute::next(&mut interrupt, &mut terminate).await;
        stop.store(true, Ordering::Relaxed);
        super::execute::next(&mut interrupt, &mut terminate).await;
        std::process::exit(super::execute::INTERRUPTED);
    });
    Ok(())
}

fn progress_bar(events: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = events.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let template = if events.is_some() {
        "{bar:30} {percent:>3} %  {human_pos} records  {per_sec}"
    } else {
        "{spinner} {human_pos} records  {per_sec}"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Writes records to a topic.
struct TopicWriter {
    producer: Producer,
    topic: String,
}

impl TopicWriter {
    fn open(args: &GenerateArgs, partitions: u32) -> Result<Self, Error> {
        check_input_topic(&args.topic)?;
        if args.create_topics {
            topic::create_missing(&args.kafka, &[&args.topic], partitions)?;
        }
        let existing = topic::describe(&args.kafka, &args.topic)?;
        if existing != partitions {
            // What is late depends on who shares a partition: the answer key would be that of another topic.
            return Err(Error::Usage(format!(
                "topic {} has {existing} partitions but {partitions} are generated; give --partitions {existing}",
                args.topic
            )));
        }
        Ok(TopicWriter { producer: Producer::new(&args.kafka)?, topic: args.topic.clone() })
    }
}

impl RecordWriter for TopicWriter {
    fn write(&mut self, partition: u32, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let key = (!key.is_empty()).then_some(key);
        let partition = i32::try_from(partition).ok();
        self.producer.send(&self.topic, partition, key, Some(value), None)
    }

    fn flush(&mut self) -> Result<(), Error> {
        // The client sends by itself what it holds.
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        self.producer.flush()
    }
}
