//! Resume records in a file, for brokers without transactions: output is durable before the file says so, and is written
//! again where the job ends in between.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::begin::{Start, resume};
use super::home::{Commit, Failure, Home, Output};
use super::kafka::Source;
use crate::error::Error;
use crate::kafka::CommittedOffset;
use crate::record::PartitionId;

/// How a job begins anew whose records are in a file.
pub const NEW_FILE: &str = "name a new file in --resume";

/// A file with one line for each partition: `partition offset record`.
#[derive(Debug)]
pub struct FileHome {
    path: PathBuf,
    source: Source,
    lines: Vec<Option<CommittedOffset>>,
    /// Held while the job runs: two jobs on one file would undo each other's records.
    lock: Option<File>,
}

impl FileHome {
    /// Records of a source's partitions at `path`, which need not exist.
    #[must_use]
    pub const fn new(path: PathBuf, source: Source) -> Self {
        FileHome { path, source, lines: Vec::new(), lock: None }
    }

    fn lock(&mut self) -> Result<(), Error> {
        let path = with_suffix(&self.path, ".lock");
        let file = File::options().create(true).append(true).open(&path).map_err(|error| unusable(&path, &error))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                self.lock = Some(file);
                Ok(())
            }
            Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Refused(format!(
                "another job keeps its resume records in {}; stop it, or give this one a file of its own \
                 (docs/runbooks/fenced.md)",
                self.path.display()
            ))),
            Err(error) => Err(unusable(&path, &error.into())),
        }
    }

    /// Replaces the file: it is either the old one or the new one, whatever happens.
    fn write(&self) -> Result<(), Error> {
        let mut text = String::new();
        for CommittedOffset { partition, offset, metadata } in self.lines.iter().flatten() {
            text.push_str(&format!("{partition} {offset} {metadata}\n"));
        }
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let partial = with_suffix(&self.path, ".partial");
        let replace = || {
            let mut file = File::create(&partial)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&partial, &self.path)?;
            File::open(folder)?.sync_all()
        };
        replace().map_err(|error| unusable(&self.path, &error))
    }

    fn take(&mut self, commits: &[Commit]) {
        for Commit { partition: PartitionId(partition), offset, record } in commits {
            let index = *partition as usize;
            self.lines.resize(self.lines.len().max(index + 1), None);
            self.lines[index] =
                Some(CommittedOffset { partition: *partition, offset: offset.0, metadata: record.to_string() });
        }
    }
}

impl Home for FileHome {
    fn open(&mut self, least_epoch: u64) -> Result<Start, Error> {
        self.lock()?;
        self.lines = read(&self.path)?;
        let extents = self.source.extents()?;
        self.lines.resize(self.lines.len().max(extents.len()), None);
        let home = self.path.display().to_string();
        let now = crate::clock::now_millis();
        let resumed = resume(&self.lines, &self.source.expected(&home, NEW_FILE, &extents), now)?;
        let mut start = match resumed {
            Some(start) => start,
            None => self.source.first_start(&extents)?,
        };
        start.epoch = start.epoch.max(least_epoch);
        self.take(&self.source.commits(&start));
        self.write()?;
        Ok(start)
    }

    fn commit(&mut self, _outputs: &[Output], commits: &[Commit]) -> Result<(), Failure> {
        self.take(commits);
        self.write().map_err(Failure::Final)
    }

    fn takes_output(&self) -> bool {
        false
    }
}

/// The records in the file; none where there is no file.
///
/// # Errors
/// [`Error::Io`] where it cannot be read, [`Error::Refused`] where it is not one of ours.
pub fn read(path: &Path) -> Result<Vec<Option<CommittedOffset>>, Error> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unusable(path, &error)),
    };
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let mut parts = line.splitn(3, ' ');
        let mut next = || parts.next().unwrap_or_default();
        let parsed = (next().parse::<u32>(), next().parse::<u64>(), next());
        let (Ok(partition @ 0..=1_000_000), Ok(offset), metadata) = parsed else {
            return Err(Error::Refused(format!(
                "line {number} of {} is not a resume record; name another file in --resume (docs/runbooks/foreign-commit.md)",
                path.display()
            )));
        };
        let index = partition as usize;
        lines.resize(lines.len().max(index + 1), None);
        lines[index] = Some(CommittedOffset { partition, offset, metadata: metadata.to_owned() });
    }
    Ok(lines)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    Error::Io(format!("cannot keep resume records in {}: {error}; check the path and its rights", path.display()))
}
