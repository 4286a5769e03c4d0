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

use timely::scheduling::SyncActivator;

use crate::error::Error;
use crate::partitions::Partition;
use crate::record::{Cut, Offset};

/// One record as a reader hands it out.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its place in the partition.
    pub offset: Offset,
    /// Its bytes.
    pub value: Value<'a>,
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
