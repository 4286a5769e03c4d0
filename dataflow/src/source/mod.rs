//! Where events come from: partitions of a topic, files, standard input.
//!
//! A [`PartitionReader`] yields the records of one partition, in order, a bounded number at a time and without waiting;
//! the [operator] turns them into blocks of events and into quarantined records.

mod compression;
pub mod file;
mod intake;
pub mod kafka;
pub mod lines;
pub mod operator;
pub mod paths;
pub mod pipe;
mod reading;
mod resumption;

use std::sync::{Arc, Mutex, PoisonError};

use schemas::EventView;
use timely::scheduling::SyncActivator;

use crate::commit::begin::Begin;
use crate::control::Control;
use crate::error::Error;
use crate::partitions::{Partition, Partitions};
use crate::record::{Cut, Offset, PartitionId};

/// One record as a reader hands it out.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its place in the partition.
    pub offset: Offset,
    /// Its bytes.
    pub value: Value<'a>,
    /// The event that the bytes are, where the reader knows it: it had to decode them to find their end.
    pub event: Option<&'a EventView<'a>>,
    /// The time that the broker gave it, in milliseconds since the Unix epoch; files have none.
    pub time_millis: Option<i64>,
    /// The message it came in, where it came from Kafka.
    pub message: Option<&'a dyn Message>,
}

/// The bytes of a record.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// A record without a value.
    Null,
    /// All bytes.
    Whole(&'a [u8]),
    /// The first bytes of a record that is too large.
    Cut(&'a [u8], Cut),
}

/// What a Kafka record has beside its value; only asked for when the record is quarantined.
pub trait Message: std::fmt::Debug {
    /// The key.
    fn key(&self) -> Option<Vec<u8>>;
    /// The headers, in order.
    fn headers(&self) -> Vec<(String, Option<Vec<u8>>)>;
}

/// A partition that is ready to be read.
pub struct Opened<R> {
    /// Its number.
    pub id: PartitionId,
    /// Its reader, which begins at the offset of `begin`.
    pub reader: R,
    /// Where it begins, and what is known of what lies before.
    pub begin: Begin,
}

/// Partitions that the input has got while the job runs, on their way to the workers that will read them.
pub struct Arrivals<R>(Arc<Mutex<Vec<Opened<R>>>>, usize);

impl<R> Clone for Arrivals<R> {
    fn clone(&self) -> Self {
        Arrivals(Arc::clone(&self.0), self.1)
    }
}

impl<R> Arrivals<R> {
    /// For so many workers.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Arrivals(Arc::default(), workers)
    }

    /// A partition has been opened.
    pub fn put(&self, opened: Opened<R>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(opened);
    }

    /// Partition p belongs to worker p mod W.
    #[must_use]
    pub const fn worker_of(&self, PartitionId(id): PartitionId) -> usize {
        id as usize % self.1
    }

    /// Takes what has come for a worker.
    pub fn take(&self, worker: usize) -> Vec<Opened<R>> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_own = |opened: &mut Opened<R>| self.worker_of(opened.id) == worker;
        waiting.extract_if(.., is_own).collect()
    }
}

/// The partitions of the input, before they are read.
pub trait Inputs: Send + Sync + 'static {
    /// What reads a partition.
    type Reader: PartitionReader;

    /// Opens partitions of one worker, each where it begins.
    ///
    /// # Errors
    /// When one cannot be opened.
    fn open(&self, begins: Vec<(PartitionId, Begin)>) -> Result<Vec<Opened<Self::Reader>>, Error>;

    /// The name of a partition, for messages; of those that had none when the job was made.
    fn name(&self, id: PartitionId) -> String {
        id.0.to_string()
    }

    /// Where a job begins that keeps no resume records.
    fn beginnings(&self, partitions: usize) -> Vec<Offset> {
        vec![Offset(0); partitions]
    }

    /// Looks after an input that goes on, from a thread of its own: whether it has got partitions, and where those end
    /// about which somebody wants to know.
    ///
    /// # Errors
    /// When there is no thread for it.
    fn watch(&self, watched: Watched<Self::Reader>) -> Result<(), Error> {
        let _ = watched;
        Ok(())
    }
}

/// What [`Inputs::watch`] looks after.
pub struct Watched<R> {
    /// The partitions that are known.
    pub partitions: Arc<Partitions>,
    /// Where partitions go that have been opened.
    pub arrivals: Arrivals<R>,
    /// Says when the job ends, and wakes workers.
    pub control: Arc<Control>,
}

/// Readers that are ready, in the order of their partitions.
pub struct Ready<R>(Mutex<Vec<Option<R>>>);

impl<R> Ready<R> {
    /// Each is opened once.
    pub fn new(readers: impl IntoIterator<Item = R>) -> Self {
        Ready(Mutex::new(readers.into_iter().map(Some).collect()))
    }
}

impl<R: PartitionReader> Inputs for Ready<R> {
    type Reader = R;

    fn open(&self, begins: Vec<(PartitionId, Begin)>) -> Result<Vec<Opened<R>>, Error> {
        let mut readers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open = |(id, begin): (PartitionId, Begin)| {
            let reader = readers.get_mut(id.0 as usize).and_then(Option::take)?;
            Some(Opened { id, reader, begin })
        };
        Ok(begins.into_iter().filter_map(&mut open).collect())
    }
}

/// A partition of the input before the job starts.
pub struct Input {
    /// The topic, the file's path, or `-` for standard input.
    pub name: String,
    /// How much there is to read, where that is known.
    pub extent: Option<Extent>,
    /// Its reader.
    pub reader: Reader,
}

/// How much there is to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Bytes of a file, as stored.
    Bytes(u64),
    /// Records of a topic.
    Records(u64),
}

/// A reader of any kind.
pub enum Reader {
    /// Of a regular file.
    File(file::FileReader),
    /// Of a stream.
    Pipe(pipe::PipeReader),
    /// Of a partition of a topic.
    Kafka(kafka::KafkaReader),
}

impl PartitionReader for Reader {
    fn start(&mut self, wake: &SyncActivator) -> Result<(), Error> {
        match self {
            Reader::File(reader) => reader.start(wake),
            Reader::Pipe(reader) => reader.start(wake),
            Reader::Kafka(reader) => reader.start(wake),
        }
    }

    fn read(
        &mut self,
        scratch: &mut Vec<u8>,
        shared: &Partition,
        receive: &mut impl FnMut(Record<'_>),
    ) -> Result<Progress, Error> {
        match self {
            Reader::File(reader) => reader.read(scratch, shared, receive),
            Reader::Pipe(reader) => reader.read(scratch, shared, receive),
            Reader::Kafka(reader) => reader.read(scratch, shared, receive),
        }
    }
}

/// What a reader has to say after a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There may be more at once.
    Ready,
    /// There is nothing now; the source is woken when there is.
    Waiting,
    /// The partition has ended.
    Finished,
}

/// Reads one partition, without ever waiting.
pub trait PartitionReader: Send + 'static {
    /// Takes note of how to wake the source's operator when records come after [`Progress::Waiting`].
    ///
    /// # Errors
    /// When the partition cannot be opened.
    fn start(&mut self, wake: &SyncActivator) -> Result<(), Error>;

    /// Hands a bounded number of records, in order, to `receive`.
    ///
    /// `scratch` is memory that the readers of a worker share; `shared` is where position and bytes read are told.
    ///
    /// # Errors
    /// When the partition cannot be read on.
    fn read(
        &mut self,
        scratch: &mut Vec<u8>,
        shared: &Partition,
        receive: &mut impl FnMut(Record<'_>),
    ) -> Result<Progress, Error>;
}
