//! Which platforms run: each leaves a note in a folder of its user, so that commands find it without being told.
//!
//! The note's name is the process, its content the folder of data. A note whose platform does not answer is outdated: the
//! process was killed.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// Where the notes are: in the user's folder for what lives as long as processes, else among temporary files.
pub(crate) fn notes_folder() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_dir()) {
        Some(folder) => folder.join("footfall"),
        None => std::env::temp_dir().join(format!("footfall-{}", geteuid().as_raw())),
    }
}

/// A note, which goes with it.
#[derive(Debug)]
pub(crate) struct Note(PathBuf);

impl Note {
    /// Leaves a note that this process has its data in a folder.
    ///
    /// # Errors
    /// Where the folder of notes cannot be made, or is somebody else's.
    pub(crate) fn leave(notes: &Path, data: &Path) -> std::io::Result<Self> {
        if let Err(error) = DirBuilder::new().mode(0o700).create(notes)
            && error.kind() != std::io::ErrorKind::AlreadyExists
        {
            return Err(error);
        }
        if !is_ours(notes)? {
            return Err(std::io::Error::other("it belongs to somebody else"));
        }
        let note = notes.join(std::process::id().to_string());
        fs::write(&note, data.as_os_str().as_encoded_bytes())?;
        Ok(Note(note))
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        // Whoever finds it finds out that nobody answers.
        let _ = fs::remove_file(&self.0);
    }
}

fn is_ours(folder: &Path) -> std::io::Result<bool> {
    let metadata = fs::symlink_metadata(folder)?;
    Ok(metadata.is_dir() && metadata.uid() == geteuid().as_raw())
}

/// The folders of data of platforms that run, and of some that may have died.
pub(crate) fn noted(notes: &Path) -> Vec<PathBuf> {
    if !is_ours(notes).unwrap_or(false) {
        return Vec::new();
    }
    let Ok(entries) = fs::read_dir(notes) else { return Vec::new() };
    let paths = entries.flatten().filter_map(|entry| fs::read_to_string(entry.path()).ok());
    let mut folders: Vec<_> = paths.map(PathBuf::from).collect();
    folders.sort();
    folders.dedup();
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_found_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let notes = folder.path().join("notes");
        assert!(noted(&notes).is_empty());
        let note = Note::leave(&notes, Path::new("/somewhere/shop")).unwrap();
        assert_eq!(noted(&notes), [Path::new("/somewhere/shop")]);
        drop(note);
        assert!(noted(&notes).is_empty());
    }

    #[test]
    fn what_is_no_folder_of_ours_is_neither_read_nor_written() {
        let folder = tempfile::tempdir().unwrap();
        let notes = folder.path().join("notes");
        fs::write(&notes, "").unwrap();
        assert!(Note::leave(&notes, Path::new("/somewhere")).is_err());
        assert!(noted(&notes).is_empty());
    }
}
