//! The stream of the demonstration: generated events, as if they came through pipes.

use std::io::{self, BufWriter, Write};
use std::sync::atomic::AtomicBool;
use std::thread;

use super::args::DemoArgs;
use crate::error::Error;
use crate::generate::{self, RecordWriter, Shape, Timing};
use crate::source::pipe::PipeReader;
use crate::source::{Input, Reader};

/// How many pipes, and thus partitions and workers, the demonstration has.
const PARTITIONS: u32 = 2;

/// Starts the generator; what it makes comes out of the inputs.
pub(super) fn inputs(args: &DemoArgs) -> Result<Vec<Input>, Error> {
    let shape = Shape {
        events: (args.events > 0).then_some(args.events),
        timing: Timing::Live { rate: args.rate, speed: args.speed },
        products: 1_000,
        users: 50_000,
        partitions: PARTITIONS,
        ..Shape::default()
    };
    shape.validate()?;
    let mut inputs = Vec::new();
    let mut writers = Vec::new();
    for partition in 0..PARTITIONS {
        let (reader, writer) = io::pipe().map_err(|error| Error::Internal(format!("cannot open a pipe: {error}")))?;
        let reader = Reader::Pipe(PipeReader::stream(Box::new(reader)));
        inputs.push(Input { name: format!("generator-{partition}"), extent: None, reader });
        writers.push(BufWriter::new(writer));
    }
    let generate = move || {
        let writer = Box::new(PipeWriters(writers));
        // The stream ends with the program, or with the job: then its pipes are closed.
        let _ = generate::run(&shape, writer, None, &AtomicBool::new(false), &mut |_| {});
    };
    thread::Builder::new()
        .name("generator".to_owned())
        .spawn(generate)
        .map_err(|error| Error::Internal(format!("cannot start a thread: {error}")))?;
    Ok(inputs)
}

/// What a person reads before the first window closes.
pub(super) fn introduction(args: &DemoArgs) -> String {
    format!(
        "counting a generated stream: {} events/s, event time runs {} times as fast as the clock; Ctrl-C ends it",
        indicatif::HumanCount(args.rate),
        args.speed
    )
}

struct PipeWriters(Vec<BufWriter<io::PipeWriter>>);

impl RecordWriter for PipeWriters {
    fn write(&mut self, partition: u32, _key: &[u8], value: &[u8]) -> Result<(), Error> {
        let pipe = &mut self.0[partition as usize];
        pipe.write_all(value).and_then(|()| pipe.write_all(b"\n")).map_err(|error| closed(&error))
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.0.iter_mut().try_for_each(BufWriter::flush).map_err(|error| closed(&error))
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        self.flush()
    }
}

fn closed(error: &io::Error) -> Error {
    Error::Io(format!("cannot write to the job: {error}"))
}
