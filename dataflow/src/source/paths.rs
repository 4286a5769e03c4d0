//! Which files a `file:` source means.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use glob::MatchOptions;

use super::file::{FileReader, open_error};
use super::pipe::PipeReader;
use super::{Extent, Input, Reader};
use crate::error::Error;

/// The inputs that `pattern` names, ordered by path: each is a partition.
///
/// A path of a file or pipe is that one; a folder stands for the files in it (one level, hidden ones skipped); anything
/// else is a glob pattern.
///
/// # Errors
/// [`Error::Usage`] when nothing matches or a folder cannot be listed.
pub fn resolve(pattern: &str) -> Result<Vec<Input>, Error> {
    let path = Path::new(pattern);
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            let files = files_in(path).map_err(|error| open_error(path, &error))?;
            if files.is_empty() {
                return Err(Error::Usage(format!(
                    "--source file:{pattern} has no files; name a folder with event files"
                )));
            }
            files.into_iter().map(input).collect()
        }
        Ok(_) => Ok(vec![input(path.to_owned())?]),
        Err(error) if error.kind() == io::ErrorKind::NotFound && pattern.contains(['*', '?', '[']) => matches(pattern),
        Err(error) => Err(open_error(path, &error)),
    }
}

fn files_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !is_hidden && !path.is_dir() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn matches(pattern: &str) -> Result<Vec<Input>, Error> {
    let unusable = |why: String| Error::Usage(format!("cannot use --source file:{pattern}: {why}"));
    let mut files = Vec::new();
    // As in a folder, and in a shell: `*` is not for hidden files, such as outputs that are not complete.
    let options = MatchOptions { require_literal_leading_dot: true, ..MatchOptions::new() };
    for path in glob::glob_with(pattern, options).map_err(|error| unusable(error.to_string()))? {
        let path = path.map_err(|error| unusable(error.to_string()))?;
        if !path.is_dir() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Error::Usage(format!("--source file:{pattern} matches no file; check the pattern")));
    }
    files.sort();
    files.into_iter().map(input).collect()
}

fn input(path: PathBuf) -> Result<Input, Error> {
    let metadata = fs::metadata(&path).map_err(|error| open_error(&path, &error))?;
    let name = path.display().to_string();
    if metadata.is_file() {
        // Opened here once, so that an unreadable file is reported before anything is written.
        fs::File::open(&path).map_err(|error| open_error(&path, &error))?;
        return Ok(Input {
            name,
            extent: Some(Extent::Bytes(metadata.len())),
            reader: Reader::File(FileReader::new(path)),
        });
    }
    Ok(Input { name, extent: None, reader: Reader::Pipe(PipeReader::path(path)) })
}
