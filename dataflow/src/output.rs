//! Output files: complete or not there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::NamedTempFile;

use crate::error::Error;

/// Standard output, a device or pipe, or a regular file that appears once it is complete.
///
/// A regular file is written beside its destination and renamed over it by [`finish`](Output::finish); before that,
/// whatever was there stays. A device or a pipe is written in place and never replaced.
#[derive(Debug)]
pub struct Output {
    name: String,
    target: Target,
}

#[derive(Debug)]
enum Target {
    Stdout(BufWriter<io::Stdout>),
    InPlace(BufWriter<File>),
    Replaced { file: BufWriter<NamedTempFile>, path: PathBuf },
}

impl Output {
    /// Standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Output { name: "standard output".to_owned(), target: Target::Stdout(BufWriter::new(io::stdout())) }
    }

    /// Opens `path` for writing.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be created or written.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let target = open(path).map_err(|error| write_error(&name, &error))?;
        Ok(Output { name, target })
    }

    /// Appends `bytes`; they may stay in memory until [`flush`](Self::flush).
    ///
    /// # Errors
    /// [`Error::Io`] when they cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let written = self.writer().write_all(bytes);
        written.map_err(|error| write_error(&self.name, &error))
    }

    /// Appends `value` as one line of JSON.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    pub fn write_json_line(&mut self, value: &impl Serialize) -> Result<(), Error> {
        let written =
            serde_json::to_writer(self.writer(), value).map_err(|error| write_error(&self.name, &error.into()));
        written.and_then(|()| self.write(b"\n"))
    }

    /// Passes everything to the operating system.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be written.
    pub fn flush(&mut self) -> Result<(), Error> {
        let flushed = self.writer().flush();
        flushed.map_err(|error| write_error(&self.name, &error))
    }

    /// Completes the output: a regular file is durable and in its place when this returns.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be completed; then what was there before stays.
    pub fn finish(mut self) -> Result<(), Error> {
        self.flush()?;
        let Target::Replaced { file, path } = self.target else { return Ok(()) };
        let replaced = file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .and_then(|file| file.as_file().sync_all().map(|()| file))
            .and_then(|file| file.persist(&path).map_err(|error| error.error));
        replaced.map(drop).map_err(|error| write_error(&self.name, &error))
    }

    fn writer(&mut self) -> &mut dyn Write {
        match &mut self.target {
            Target::Stdout(stdout) => stdout,
            Target::InPlace(file) => file,
            Target::Replaced { file, .. } => file,
        }
    }
}

fn open(path: &Path) -> io::Result<Target> {
    let existing = match fs::metadata(path) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if existing.as_ref().is_some_and(fs::Metadata::is_dir) {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    if existing.as_ref().is_some_and(|metadata| !metadata.is_file()) {
        return Ok(Target::InPlace(BufWriter::new(OpenOptions::new().write(true).open(path)?)));
    }
    // A link is kept: the file that it points to is replaced.
    let path = if existing.is_some() { path.canonicalize()? } else { path.to_owned() };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    let permissions = existing.map_or_else(default_permissions, |metadata| metadata.permissions());
    let file = builder.prefix(".").suffix(".partial").permissions(permissions).tempfile_in(folder)?;
    Ok(Target::Replaced { file: BufWriter::with_capacity(256 << 10, file), path })
}

/// What any new file gets; the umask is applied by the system.
fn default_permissions() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    fs::Permissions::from_mode(0o666)
}

fn write_error(name: &str, error: &io::Error) -> Error {
    Error::Io(format!("cannot write {name}: {error}"))
}
