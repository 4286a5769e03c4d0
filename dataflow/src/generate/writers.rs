//! Where generated records go.

use std::fs::{self, File};
use std::io::{self, BufWriter, Stdout, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;

use crate::error::Error;

/// A destination of records.
///
/// Records come in the order of the stream; each partition must keep the order of its own. A writer may buffer until
/// [`flush`](Self::flush).
pub trait RecordWriter: Send {
    /// Writes one record. An empty key means that the record has none. `value` holds no line end.
    ///
    /// # Errors
    /// When the record cannot be written and trying again is no use.
    fn write(&mut self, partition: u32, key: &[u8], value: &[u8]) -> Result<(), Error>;

    /// Sends on what is buffered; called before the stream pauses.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    fn flush(&mut self) -> Result<(), Error>;

    /// Completes the output after the last record.
    ///
    /// # Errors
    /// When completing fails: the output is not whole.
    fn finish(self: Box<Self>) -> Result<(), Error>;
}

/// How files are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Compression {
    /// Not at all; `.ndjson`.
    #[default]
    None,
    /// gzip; `.gz`.
    Gzip,
    /// Zstandard; `.zst`.
    Zstd,
}

impl Compression {
    /// What a file's name says about its compression.
    #[must_use]
    pub fn of_path(path: &Path) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Compression::Gzip,
            Some("zst") => Compression::Zstd,
            _ => Compression::None,
        }
    }

    const fn suffix(self) -> &'static str {
        match self {
            Compression::None => "",
            Compression::Gzip => ".gz",
            Compression::Zstd => ".zst",
        }
    }
}

/// A destination on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalDestination {
    /// Standard output.
    Stdout,
    /// One file, compressed as its name says.
    File(PathBuf),
    /// A directory with a file for each partition.
    Directory(PathBuf, Compression),
}

impl LocalDestination {
    /// Opens the destination for a stream of so many partitions.
    ///
    /// # Errors
    /// [`Error::Io`] where a file cannot be created; [`Error::Usage`] where a directory holds other files.
    pub fn open(&self, partitions: u32) -> Result<Box<dyn RecordWriter>, Error> {
        Ok(match self {
            LocalDestination::Stdout => Box::new(StdoutWriter::new()),
            LocalDestination::File(path) => Box::new(FileWriter::create(path)?),
            LocalDestination::Directory(path, compression) => {
                Box::new(DirectoryWriter::create(path, partitions, *compression)?)
            }
        })
    }
}

/// Writes all records to standard output, a line each.
#[derive(Debug)]
pub struct StdoutWriter {
    stdout: BufWriter<Stdout>,
}

impl StdoutWriter {
    /// A writer to the standard output of this process.
    #[must_use]
    pub fn new() -> Self {
        StdoutWriter { stdout: BufWriter::with_capacity(BUFFER_BYTES, io::stdout()) }
    }
}

impl Default for StdoutWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl RecordWriter for StdoutWriter {
    fn write(&mut self, _partition: u32, _key: &[u8], value: &[u8]) -> Result<(), Error> {
        write_line(&mut self.stdout, value).map_err(|error| cannot_write_stdout(&error))
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.stdout.flush().map_err(|error| cannot_write_stdout(&error))
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        self.flush()
    }
}

/// Writes all records to one file, a line each.
#[derive(Debug)]
pub struct FileWriter {
    path: PathBuf,
    encoder: Encoder,
}

impl FileWriter {
    /// Creates the file, or replaces its contents; its name says how it is compressed.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be created.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let encoder = Encoder::create(path, Compression::of_path(path)).map_err(|error| cannot_write(path, &error))?;
        Ok(FileWriter { path: path.into(), encoder })
    }
}

impl RecordWriter for FileWriter {
    fn write(&mut self, _partition: u32, _key: &[u8], value: &[u8]) -> Result<(), Error> {
        write_line(self.encoder.as_write(), value).map_err(|error| cannot_write(&self.path, &error))
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.encoder.flush().map_err(|error| cannot_write(&self.path, &error))
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        self.encoder.finish().map_err(|error| cannot_write(&self.path, &error))
    }
}

/// Writes each partition to a file of its own: `part-00000.ndjson` and so on, so that the order of the paths, which is
/// the order in which the job numbers them, is the order of the partitions.
#[derive(Debug)]
pub struct DirectoryWriter {
    parts: Vec<FileWriter>,
}

impl DirectoryWriter {
    /// Creates the directory where there is none, and its files.
    ///
    /// # Errors
    /// [`Error::Usage`] where the directory holds other files, which the job would take for partitions;
    /// [`Error::Io`] where the directory or a file cannot be created.
    pub fn create(directory: &Path, partitions: u32, compression: Compression) -> Result<Self, Error> {
        fs::create_dir_all(directory).map_err(|error| cannot_write(directory, &error))?;
        let names: Vec<String> = (0..partitions).map(|part| part_name(part, compression)).collect();
        refuse_other_files(directory, &names)?;
        let parts = names.iter().map(|name| FileWriter::create(&directory.join(name))).collect::<Result<_, _>>()?;
        Ok(DirectoryWriter { parts })
    }
}

impl RecordWriter for DirectoryWriter {
    fn write(&mut self, partition: u32, key: &[u8], value: &[u8]) -> Result<(), Error> {
        match self.parts.get_mut(partition as usize) {
            Some(part) => part.write(partition, key, value),
            None => Err(Error::Internal(format!("partition {partition} has no file"))),
        }
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.parts.iter_mut().try_for_each(RecordWriter::flush)
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        self.parts.into_iter().try_for_each(|part| Box::new(part).finish())
    }
}

fn part_name(partition: u32, compression: Compression) -> String {
    format!("part-{partition:05}.ndjson{}", compression.suffix())
}

fn refuse_other_files(directory: &Path, names: &[String]) -> Result<(), Error> {
    let entries = fs::read_dir(directory).map_err(|error| cannot_write(directory, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| cannot_write(directory, &error))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // The names are in order: the numbers have leading zeros.
        let is_ours = names.binary_search_by(|ours| ours.as_str().cmp(&name)).is_ok();
        if !is_ours && !name.starts_with('.') {
            let directory = directory.display();
            return Err(Error::Usage(format!(
                "{directory} holds {name}, which would be taken for a partition; empty it"
            )));
        }
    }
    Ok(())
}

/// Enough that system calls do not show; with many partitions there are as many buffers.
const BUFFER_BYTES: usize = 64 * 1024;

/// A file, behind its compression.
enum Encoder {
    Plain(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
    Zstd(zstd::Encoder<'static, BufWriter<File>>),
}

impl Encoder {
    fn create(path: &Path, compression: Compression) -> io::Result<Self> {
        let file = BufWriter::with_capacity(BUFFER_BYTES, File::create(path)?);
        Ok(match compression {
            Compression::None => Encoder::Plain(file),
            Compression::Gzip => Encoder::Gzip(GzEncoder::new(file, flate2::Compression::fast())),
            Compression::Zstd => Encoder::Zstd(zstd::Encoder::new(file, zstd::DEFAULT_COMPRESSION_LEVEL)?),
        })
    }

    fn as_write(&mut self) -> &mut dyn Write {
        match self {
            Encoder::Plain(file) => file,
            Encoder::Gzip(encoder) => encoder,
            Encoder::Zstd(encoder) => encoder,
        }
    }

    /// Compressed files are read when they are finished, and each flush would make them larger.
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Encoder::Plain(file) => file.flush(),
            Encoder::Gzip(_) | Encoder::Zstd(_) => Ok(()),
        }
    }

    fn finish(self) -> io::Result<()> {
        let mut file = match self {
            Encoder::Plain(file) => file,
            Encoder::Gzip(encoder) => encoder.finish()?,
            Encoder::Zstd(encoder) => encoder.finish()?,
        };
        file.flush()
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Encoder::Plain(_) => "Plain",
            Encoder::Gzip(_) => "Gzip",
            Encoder::Zstd(_) => "Zstd",
        })
    }
}

fn write_line(output: &mut (impl Write + ?Sized), value: &[u8]) -> io::Result<()> {
    output.write_all(value)?;
    output.write_all(b"\n")
}

/// The one sentence for an output that cannot be written.
pub(super) fn cannot_write(path: &Path, error: &io::Error) -> Error {
    Error::Io(format!("cannot write {}: {error}", path.display()))
}

fn cannot_write_stdout(error: &io::Error) -> Error {
    Error::Io(format!("cannot write to standard output: {error}"))
}
