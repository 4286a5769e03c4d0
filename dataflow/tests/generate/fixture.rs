//! What the tests of the generator share.

use dataflow::error::Error;
use dataflow::generate::{Answers, Generated, Outcome, RecordWriter, Shape, Stream, Summary, run};
use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

pub(crate) type TestResult = Result<(), Box<dyn StdError>>;

pub(crate) const OOO: Duration = Duration::from_secs(10);

pub(crate) fn generate(shape: &Shape) -> Vec<Generated> {
    let mut stream = Stream::new(shape).expect("the shape is valid");
    let mut record = Generated::default();
    let mut records = Vec::new();
    while stream.next(&mut record) {
        records.push(record.clone());
    }
    records
}

pub(crate) fn summary_of(shape: &Shape) -> Summary {
    let mut key = dataflow::generate::AnswerKey::new(shape);
    generate(shape).iter().for_each(|record| key.observe(record));
    key.finish().1
}

/// A stream with some of everything.
pub(crate) fn colourful(events: u64) -> Shape {
    Shape {
        events: Some(events),
        late_share: 0.05,
        malformed_share: 0.05,
        odd_layout_share: 0.2,
        partitions: 4,
        products: 50,
        users: 300,
        ..Shape::default()
    }
}

pub(crate) fn run_to_end(
    shape: &Shape,
    writer: Box<dyn RecordWriter>,
    answers: Option<Answers>,
) -> Result<Outcome, Error> {
    run(shape, writer, answers, &AtomicBool::new(false), &mut |_| ())
}

/// Keeps each partition's values in memory.
#[derive(Clone, Default)]
pub(crate) struct Memory(pub(crate) Arc<Mutex<BTreeMap<u32, Vec<Vec<u8>>>>>);

impl RecordWriter for Memory {
    fn write(&mut self, partition: u32, _key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.0.lock().expect("no thread panics").entry(partition).or_default().push(value.into());
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        Ok(())
    }
}
