//! From `--source` to inputs.

use std::num::NonZeroUsize;

use super::args::{JobArgs, SourceSpec, check_input_topic};
use crate::error::Error;
use crate::source::pipe::PipeReader;
use crate::source::{Input, Reader, kafka, paths};

/// Opens the source, as partitions in their order. A bounded topic is read up to its present end.
pub(super) fn open(args: &JobArgs, is_bounded: bool) -> Result<Vec<Input>, Error> {
    match &args.source {
        SourceSpec::Files(pattern) => {
            let inputs = paths::resolve(pattern)?;
            allow_open_files(inputs.len());
            Ok(inputs)
        }
        SourceSpec::StandardInput => {
            Ok(vec![Input { name: "-".to_owned(), extent: None, reader: Reader::Pipe(PipeReader::standard_input()) }])
        }
        SourceSpec::Kafka => {
            check_input_topic(&args.topics.input_topic)?;
            kafka::open(&args.kafka, &args.topics.input_topic, workers(args), is_bounded)
        }
    }
}

/// How many workers the job has.
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
