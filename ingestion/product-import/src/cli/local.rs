//! A file of this machine, and its outputs beside it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use indicatif::ProgressBar;
use tokio::fs::{self, File};
use tokio::io::AsyncReadExt as _;

use crate::file::Chunks;
use crate::outputs::Outputs;
use crate::report::{ERRORS_SUFFIX, REPORT_SUFFIX};
use crate::{Error, Report};

/// How much is read at once, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// A file that is read.
pub(super) struct LocalFile {
    path: PathBuf,
    file: File,
    length: u64,
    bar: ProgressBar,
}

impl LocalFile {
    pub(super) async fn open(path: &Path) -> Result<Self, Error> {
        let failed = |cause| Error::file(path, cause);
        let file = File::open(path).await.map_err(failed)?;
        let metadata = file.metadata().await.map_err(failed)?;
        if metadata.is_dir() {
            return Err(failed(std::io::ErrorKind::IsADirectory.into()));
        }
        Ok(LocalFile { path: path.to_owned(), file, length: metadata.len(), bar: ProgressBar::hidden() })
    }

    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// Its name without its folder: the same file elsewhere has the same rows.
    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }

    pub(super) fn shown_by(self, bar: ProgressBar) -> Self {
        LocalFile { bar, ..self }
    }
}

impl Chunks for LocalFile {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let mut bytes = BytesMut::with_capacity(CHUNK_BYTES);
        let read = self.file.read_buf(&mut bytes).await.map_err(|cause| Error::file(&self.path, cause))?;
        self.bar.inc(read as u64);
        Ok((read > 0).then(|| bytes.freeze()))
    }
}

/// The outputs of a file.
pub(super) struct LocalOutputs {
    errors: PathBuf,
    report: PathBuf,
    bar: ProgressBar,
}

impl LocalOutputs {
    pub(super) fn beside(file: &Path, bar: ProgressBar) -> Self {
        let beside = |suffix| {
            let mut path = OsString::from(file);
            path.push(suffix);
            PathBuf::from(path)
        };
        LocalOutputs { errors: beside(ERRORS_SUFFIX), report: beside(REPORT_SUFFIX), bar }
    }
}

impl Outputs for LocalOutputs {
    fn errors_key(&self) -> String {
        self.errors.display().to_string()
    }

    async fn keep_errors(&mut self, file: &Path) -> Result<(), Error> {
        let part = part(&self.errors);
        fs::copy(file, &part).await.map_err(|cause| Error::file(&part, cause))?;
        replace(&part, &self.errors).await
    }

    async fn fetch_errors(&mut self, _: &Path) -> Result<bool, Error> {
        // A file of this machine is always imported from its beginning.
        Ok(false)
    }

    async fn forget_errors(&mut self) -> Result<(), Error> {
        match fs::remove_file(&self.errors).await {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => Err(Error::file(&self.errors, cause)),
            _ => Ok(()),
        }
    }

    async fn keep_report(&mut self, report: &Report) -> Result<(), Error> {
        self.bar.set_message(super::message(report));
        let part = part(&self.report);
        fs::write(&part, report.to_json()?).await.map_err(|cause| Error::file(&part, cause))?;
        replace(&part, &self.report).await
    }
}

/// Where a file is until it is whole.
fn part(path: &Path) -> PathBuf {
    let mut part = OsString::from(path);
    part.push(".part");
    part.into()
}

async fn replace(part: &Path, path: &Path) -> Result<(), Error> {
    fs::rename(part, path).await.map_err(|cause| Error::file(path, cause))
}
