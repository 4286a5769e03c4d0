//! Output files: complete or not there, or, of a job that goes on where it was, appended to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::NamedTempFile;

use crate::error::Error;

/// Standard output, a device or pipe, or a regular file that appears once it is complete.
///
/// A regular file is written beside its destination and renamed over it by [`finish`](Output::finish); before that,
/// whatever was there stays. A device or a pipe is written in place and never replaced. A file that is
/// [appended](Output::append) to grows with each flush.
#[derive(Debug)]
pub struct Output {
    name: String,
    target: Target,
    /// Bytes of a file that is to be replaced which were not sent to the disk yet.
    unsynced: usize,
}

/// A file that is to be replaced is sent to the disk piece by piece: then little is left to wait for at its end.
const SYNC_EVERY_BYTES: usize = 16 << 20;

#[derive(Debug)]
enum Target {
    Stdout(BufWriter<io::Stdout>),
    InPlace(BufWriter<File>),
    Appended(BufWriter<File>),
    Replaced { file: BufWriter<NamedTempFile>, path: PathBuf },
}

impl Output {
    /// Standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Output { name: "standard output".to_owned(), target: Target::Stdout(BufWriter::new(io::stdout())), unsynced: 0 }
    }

    /// Opens `path` for writing.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be created or written.
    pub fn create(path: &Path) -> Result<Self, Error> {
        Self::open(path, false)
    }

    /// Opens `path` for writing; what a regular file holds stays, and what is written is durable with each
    /// [`flush`](Self::flush). A line that a crash has cut off is removed: it was not durable, and is written again.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be created or written.
    pub fn append(path: &Path) -> Result<Self, Error> {
        Self::open(path, true)
    }

    fn open(path: &Path, appends: bool) -> Result<Self, Error> {
        let name = path.display().to_string();
        let target = open(path, appends).map_err(|error| write_error(&name, &error))?;
        Ok(Output { name, target, unsynced: 0 })
    }

    /// Appends `bytes`; they may stay in memory until [`flush`](Self::flush).
    ///
    /// # Errors
    /// [`Error::Io`] when they cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.unsynced += bytes.len();
        let written = self.writer().write_all(bytes);
        written.map_err(|error| write_error(&self.name, &error))
    }

    /// Appends `value` as one line of JSON.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    pub fn write_json_line(&mut self, value: &impl Serialize) -> Result<(), Error> {
        let mut line = serde_json::to_vec(value).map_err(|error| write_error(&self.name, &error.into()))?;
        line.push(b'\n');
        self.write(&line)
    }

    /// Passes everything to the operating system, and to the disk where the file is appended to.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be written.
    pub fn flush(&mut self) -> Result<(), Error> {
        let flushed = self.writer().flush();
        let synced = flushed.and_then(|()| match &self.target {
            Target::Appended(file) => file.get_ref().sync_data(),
            Target::Replaced { file, .. } if self.unsynced >= SYNC_EVERY_BYTES => {
                self.unsynced = 0;
                file.get_ref().as_file().sync_data()
            }
            _ => Ok(()),
        });
        synced.map_err(|error| write_error(&self.name, &error))
    }

    /// Completes the output: a regular file is durable and in its place when this returns.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be completed; then what was there before stays.
    pub fn finish(mut self) -> Result<(), Error> {
        self.flush()?;
        let Target::Replaced { file, path } = self.target else { return Ok(()) };
        replace(file, &path).map_err(|error| write_error(&self.name, &error))
    }

    fn writer(&mut self) -> &mut dyn Write {
        match &mut self.target {
            Target::Stdout(stdout) => stdout,
            Target::InPlace(file) | Target::Appended(file) => file,
            Target::Replaced { file, .. } => file,
        }
    }
}

/// Puts a complete file in its place; both its bytes and its name are durable afterwards.
fn replace(file: BufWriter<NamedTempFile>, path: &Path) -> io::Result<()> {
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder_of(path))?.sync_all()
}

fn open(path: &Path, appends: bool) -> io::Result<Target> {
    if let Some(stream) = standard_stream(path) {
        return Ok(Target::InPlace(BufWriter::new(stream?)));
    }
    let existing = match fs::metadata(path) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let ends_as_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/");
    if ends_as_folder || existing.as_ref().is_some_and(fs::Metadata::is_dir) {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    if existing.as_ref().is_some_and(|metadata| !metadata.is_file()) {
        return Ok(Target::InPlace(BufWriter::new(OpenOptions::new().write(true).open(path)?)));
    }
    if path.starts_with("/dev") || path.starts_with("/proc") {
        // Such as /dev/fd/3: whoever opened the file behind it holds on to it, so it must not be replaced.
        return Ok(Target::InPlace(BufWriter::new(OpenOptions::new().append(true).open(path)?)));
    }
    if appends {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        cut_torn_line(&mut file)?;
        File::open(folder_of(&destination(path)?))?.sync_all()?;
        return Ok(Target::Appended(BufWriter::new(file)));
    }
    let path = destination(path)?;
    let folder = folder_of(&path);
    let mut builder = tempfile::Builder::new();
    let file = builder.prefix(".").suffix(".partial").permissions(default_permissions()).tempfile_in(folder)?;
    if let Some(existing) = existing {
        // Set afterwards, as the umask would take some of them away.
        file.as_file().set_permissions(existing.permissions())?;
    }
    Ok(Target::Replaced { file: BufWriter::with_capacity(256 << 10, file), path })
}

/// Removes what stands behind the last line end.
fn cut_torn_line(file: &mut File) -> io::Result<()> {
    const PIECE: u64 = 64 << 10;
    let mut end = file.metadata()?.len();
    let length = end;
    let mut piece = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(PIECE);
        file.seek(SeekFrom::Start(start))?;
        piece.clear();
        Read::by_ref(file).take(end - start).read_to_end(&mut piece)?;
        if let Some(place) = memchr::memrchr(b'\n', &piece) {
            end = start + place as u64 + 1;
            break;
        }
        end = start;
    }
    if end < length { file.set_len(end) } else { Ok(()) }
}

/// The program's own standard output or error, with a place in it that is shared with all who write to it. Opened anew,
/// a redirection to a file would be written over, and one to a socket could not be opened.
fn standard_stream(path: &Path) -> Option<io::Result<File>> {
    let stream = match path.to_str()? {
        "/dev/stdout" => io::stdout().as_fd().try_clone_to_owned(),
        "/dev/stderr" => io::stderr().as_fd().try_clone_to_owned(),
        _ => return None,
    };
    Some(stream.map(File::from))
}

/// The file that writing to `path` makes or replaces, whether or not it exists: without links, so that a link is kept
/// and the file that it points to is replaced.
///
/// # Errors
/// When there is no such folder.
pub fn destination(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        found => return found,
    }
    if let Ok(target) = fs::read_link(path) {
        return destination(&folder_of(path).join(target));
    }
    let name = path.file_name().ok_or(io::ErrorKind::NotFound)?;
    Ok(folder_of(path).canonicalize()?.join(name))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What any new file gets; the umask is applied by the system.
fn default_permissions() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    fs::Permissions::from_mode(0o666)
}

fn write_error(name: &str, error: &io::Error) -> Error {
    let remedy = if error.kind() == io::ErrorKind::NotFound { "; create the folder first" } else { "" };
    // An error that is not the system's own has the name of the temporary file in it, which means nothing to the user.
    let why = if error.raw_os_error().is_some() { error.to_string() } else { error.kind().to_string() };
    Error::Io(format!("cannot write {name}: {why}{remedy}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn what_is_appended_to_loses_the_line_that_a_crash_has_cut_off_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        let long = "x".repeat(200_000);
        for (before, kept) in [
            ("", ""),
            ("a\nb\n", "a\nb\n"),
            ("a\nb", "a\n"),
            ("torn", ""),
            (&format!("a\n{long}"), "a\n"),
            (&format!("{long}\n"), &format!("{long}\n")),
        ] {
            fs::write(&path, before).unwrap();
            let mut output = Output::append(&path).unwrap();
            output.write(b"new\n").unwrap();
            output.flush().unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{kept}new\n"));
            output.finish().unwrap();
        }
    }
}
