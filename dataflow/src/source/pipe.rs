//! A stream that cannot be asked whether it has data, such as standard input: a thread reads it.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::thread;

use timely::scheduling::SyncActivator;

use super::compression::{Stream, decompressed, read_error};
use super::file::open_error;
use super::lines::LineSplitter;
use super::{PartitionReader, Progress, Record};
use crate::error::Error;
use crate::partitions::Partition;

const CHUNK_BYTES: usize = 256 << 10;
/// How many chunks may wait: the writer of the pipe is held up beyond that.
const CHUNKS: usize = 4;

/// Reads a stream on a thread of its own.
pub struct PipeReader {
    origin: Origin,
    chunks: Option<Receiver<io::Result<Vec<u8>>>>,
    lines: LineSplitter,
    bytes_read: u64,
}

/// Where the bytes come from.
enum Origin {
    StandardInput,
    Path(PathBuf),
    Stream(Option<Stream>),
}

impl PipeReader {
    /// Reads the program's standard input.
    #[must_use]
    pub fn standard_input() -> Self {
        Self::new(Origin::StandardInput)
    }

    /// Reads a named pipe or a device.
    #[must_use]
    pub fn path(path: PathBuf) -> Self {
        Self::new(Origin::Path(path))
    }

    /// Reads any stream, such as a generator of events.
    #[must_use]
    pub fn stream(stream: Stream) -> Self {
        Self::new(Origin::Stream(Some(stream)))
    }

    fn new(origin: Origin) -> Self {
        PipeReader { origin, chunks: None, lines: LineSplitter::default(), bytes_read: 0 }
    }

    fn name(&self) -> String {
        match &self.origin {
            Origin::StandardInput => "standard input".to_owned(),
            Origin::Path(path) => path.display().to_string(),
            Origin::Stream(_) => "the stream".to_owned(),
        }
    }
}

impl PartitionReader for PipeReader {
    fn start(&mut self, wake: &SyncActivator) -> Result<(), Error> {
        let (sender, receiver) = mpsc::sync_channel(CHUNKS);
        let wake = wake.clone();
        let stream: Stream = match &mut self.origin {
            Origin::StandardInput => Box::new(io::stdin()),
            // A named pipe opens only once it has a writer: that too is for the thread to wait for.
            Origin::Path(path) => {
                std::fs::metadata(&*path).map_err(|error| open_error(path, &error))?;
                Box::new(LazyFile { path: path.clone(), file: None })
            }
            Origin::Stream(stream) => stream.take().unwrap_or_else(|| Box::new(io::empty())),
        };
        thread::Builder::new()
            .name("pipe-reader".to_owned())
            .spawn(move || pump(stream, sender, &wake))
            .map_err(|error| Error::Internal(format!("cannot start a thread: {error}")))?;
        self.chunks = Some(receiver);
        Ok(())
    }

    fn read(
        &mut self,
        scratch: &mut Vec<u8>,
        shared: &Partition,
        receive: &mut impl FnMut(Record<'_>),
    ) -> Result<Progress, Error> {
        let Some(chunks) = &self.chunks else { return Ok(Progress::Finished) };
        match chunks.try_recv() {
            Ok(Ok(chunk)) => {
                self.bytes_read += chunk.len() as u64;
                shared.bytes_read.store(self.bytes_read, Ordering::Relaxed);
                scratch.clear();
                scratch.extend_from_slice(self.lines.begun());
                scratch.extend_from_slice(&chunk);
                self.lines.split(scratch, receive);
                Ok(Progress::Ready)
            }
            Ok(Err(error)) => Err(read_error(&self.name(), &error)),
            Err(TryRecvError::Empty) => Ok(Progress::Waiting),
            Err(TryRecvError::Disconnected) => {
                self.lines.finish(receive);
                self.chunks = None;
                Ok(Progress::Finished)
            }
        }
    }
}

/// Hands on what a stream has until it ends, breaks, or nobody wants its chunks any more.
fn pump(stream: Stream, chunks: SyncSender<io::Result<Vec<u8>>>, wake: &SyncActivator) {
    match decompressed(stream) {
        Ok(stream) => forward(stream, &chunks, wake),
        // A reader that has gone does not mind.
        Err(error) => drop(chunks.send(Err(error))),
    }
    // The end is seen as a closed channel: it must be closed before the worker is woken to look.
    drop(chunks);
    let _ = wake.activate();
}

fn forward(mut stream: Stream, chunks: &SyncSender<io::Result<Vec<u8>>>, wake: &SyncActivator) {
    loop {
        let mut chunk = vec![0; CHUNK_BYTES];
        let read = match stream.read(&mut chunk) {
            Ok(0) => return,
            Ok(len) => {
                chunk.truncate(len);
                Ok(chunk)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let is_broken = read.is_err();
        if chunks.send(read).is_err() || is_broken {
            return;
        }
        // A worker that has left needs no waking.
        let _ = wake.activate();
    }
}

struct LazyFile {
    path: PathBuf,
    file: Option<std::fs::File>,
}

impl Read for LazyFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.file.is_none() {
            self.file = Some(std::fs::File::open(&self.path)?);
        }
        self.file.as_mut().map_or(Ok(0), |file| file.read(buffer))
    }
}
