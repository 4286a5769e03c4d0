//! From `--source` to inputs.

use std::num::NonZeroUsize;

use super::args::{JobArgs, SourceSpec, check_input_topic};
use crate::commit::begin::Begin;
use crate::error::Error;
use crate::record::{Offset, PartitionId};
use crate::source::kafka::KafkaInputs;
use crate::source::pipe::PipeReader;
use crate::source::{Extent, Input, Inputs, Opened, Reader, Ready, Watched, paths};

/// The input of a job.
pub(super) struct Source {
    /// Its partitions.
    pub(super) partitions: Partitions,
    /// The name of each: the topic, or a file's path.
    pub(super) names: Vec<String>,
    /// How much there is to read, where that is known.
    pub(super) extent: Option<Extent>,
}

/// Partitions of either kind.
pub(super) enum Partitions {
    /// Files and standard input.
    Ready(Ready<Reader>),
    /// A topic.
    Kafka(Box<KafkaInputs>),
}

impl Inputs for Partitions {
    type Reader = Reader;

    fn open(&self, begins: Vec<(PartitionId, Begin)>) -> Result<Vec<Opened<Reader>>, Error> {
        match self {
            Partitions::Ready(ready) => ready.open(begins),
            Partitions::Kafka(topic) => Inputs::open(&**topic, begins),
        }
    }

    fn name(&self, id: PartitionId) -> String {
        match self {
            Partitions::Ready(ready) => ready.name(id),
            Partitions::Kafka(topic) => topic.name(id),
        }
    }

    fn beginnings(&self, partitions: usize) -> Vec<Offset> {
        match self {
            Partitions::Ready(ready) => ready.beginnings(partitions),
            Partitions::Kafka(topic) => topic.beginnings(partitions),
        }
    }

    fn watch(&self, watched: Watched<Reader>) -> Result<(), Error> {
        match self {
            Partitions::Ready(ready) => ready.watch(watched),
            Partitions::Kafka(topic) => topic.watch(watched),
        }
    }
}

/// Opens the source, as partitions in their order. A bounded topic is read up to its present end.
pub(super) fn open(args: &JobArgs, is_bounded: bool) -> Result<Source, Error> {
    match &args.source {
        SourceSpec::Files(pattern) => {
            let inputs = paths::resolve(pattern)?;
            allow_open_files(inputs.len());
            Ok(ready(inputs))
        }
        SourceSpec::StandardInput => {
            let reader = Reader::Pipe(PipeReader::standard_input());
            Ok(ready(vec![Input { name: "-".to_owned(), extent: None, reader }]))
        }
        SourceSpec::Kafka => {
            check_input_topic(&args.topics.input_topic)?;
            let topic = KafkaInputs::describe(&args.kafka, &args.topics.input_topic, is_bounded)?;
            let names = vec![topic.topic().to_owned(); topic.partitions() as usize];
            Ok(Source { extent: topic.extent(), names, partitions: Partitions::Kafka(Box::new(topic)) })
        }
    }
}

fn ready(inputs: Vec<Input>) -> Source {
    Source {
        extent: total_extent(&inputs),
        names: inputs.iter().map(|input| input.name.clone()).collect(),
        partitions: Partitions::Ready(Ready::new(inputs.into_iter().map(|input| input.reader))),
    }
}

fn total_extent(inputs: &[Input]) -> Option<Extent> {
    inputs.iter().map(|input| input.extent).reduce(|sum, next| match (sum?, next?) {
        (Extent::Bytes(a), Extent::Bytes(b)) => Some(Extent::Bytes(a + b)),
        (Extent::Records(a), Extent::Records(b)) => Some(Extent::Records(a + b)),
        _ => None,
    })?
}

/// How many workers each process of the job has.
pub(super) fn workers(args: &JobArgs) -> usize {
    let cores = std::thread::available_parallelism();
    args.workers.or(cores.ok().map(NonZeroUsize::get)).unwrap_or(1)
}

/// Lifts the limit on open files where it is too low for so many inputs, which are all open at once. Where the system
/// does not allow that, opening them fails with a sentence of its own.
fn allow_open_files(inputs: usize) {
    /// Outputs, sockets, and whatever else the program has open.
    const OTHERS: u64 = 256;
    let _ = rlimit::increase_nofile_limit(inputs as u64 + OTHERS);
}
