//! A regular file, plain or compressed, as a partition.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use timely::scheduling::SyncActivator;

use super::compression::{Stream, decompressed_file, read_error};
use super::lines::LineSplitter;
use super::{PartitionReader, Progress, Record};
use crate::error::Error;
use crate::partitions::Partition;

/// How much is read at a time: large enough that a system call does not show, small enough to stay in the cache.
const CHUNK_BYTES: usize = 256 << 10;

/// Reads a regular file; a compressed one is decompressed.
pub struct FileReader {
    path: PathBuf,
    input: Option<Stream>,
    bytes_read: Arc<AtomicU64>,
    lines: LineSplitter,
}

impl FileReader {
    /// A reader of the file at `path`, which is opened when the job starts.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        FileReader { path, input: None, bytes_read: Arc::default(), lines: LineSplitter::default() }
    }

    fn open(&self) -> io::Result<Stream> {
        let file = CountedFile { file: File::open(&self.path)?, bytes_read: Arc::clone(&self.bytes_read) };
        decompressed_file(&self.path, Box::new(file))
    }
}

impl PartitionReader for FileReader {
    fn start(&mut self, _wake: &SyncActivator) -> Result<(), Error> {
        self.input = Some(self.open().map_err(|error| open_error(&self.path, &error))?);
        Ok(())
    }

    fn read(
        &mut self,
        scratch: &mut Vec<u8>,
        shared: &Partition,
        receive: &mut impl FnMut(Record<'_>),
    ) -> Result<Progress, Error> {
        let Some(input) = &mut self.input else { return Ok(Progress::Finished) };
        let begun = self.lines.begun().len();
        scratch.resize(begun + CHUNK_BYTES, 0);
        scratch[..begun].copy_from_slice(self.lines.begun());
        let len = match input.read(&mut scratch[begun..]) {
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Progress::Ready),
            Err(error) => return Err(read_error(&self.path.display().to_string(), &error)),
        };
        shared.bytes_read.store(self.bytes_read.load(Ordering::Relaxed), Ordering::Relaxed);
        if len == 0 {
            self.lines.finish(receive);
            self.input = None;
            return Ok(Progress::Finished);
        }
        self.lines.split(&scratch[..begun + len], receive);
        Ok(Progress::Ready)
    }
}

/// The error for an input that cannot be opened.
pub(super) fn open_error(path: &Path, error: &io::Error) -> Error {
    let path = path.display();
    match error.raw_os_error() {
        // EMFILE: every file of a source is open at once, as the slowest decides how far the others are read.
        Some(24) => Error::Usage(format!("cannot open {path}: too many open files; raise the limit with `ulimit -n`")),
        _ => Error::Usage(format!("cannot open {path}: {error}; give a readable file in --source")),
    }
}

struct CountedFile {
    file: File,
    bytes_read: Arc<AtomicU64>,
}

impl Read for CountedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.file.read(buffer)?;
        self.bytes_read.fetch_add(len as u64, Ordering::Relaxed);
        Ok(len)
    }
}
