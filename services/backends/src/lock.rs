//! A file that one process at a time holds locked. The system frees the lock when that process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use crate::Error;

/// The lock, until it is dropped.
#[derive(Debug)]
pub struct Lock {
    // Dropping the file frees the lock. The file itself stays: whoever removed it could remove one that another process
    // has locked meanwhile.
    _file: File,
}

impl Lock {
    /// Locks `place`, a file or folder, by the file `lock_file`, and writes this process's id into that.
    ///
    /// # Errors
    /// [`Error::InUse`] where it is locked already, also by this process.
    pub fn take(place: &Path, lock_file: &Path) -> Result<Self, Error> {
        let failed = || Error::at("lock", lock_file);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(lock_file).map_err(failed())?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut process = String::new();
                // Only a name for the message; the lock itself says that there is one.
                let read = file.read_to_string(&mut process);
                let process = match process.trim() {
                    id if read.is_ok() && !id.is_empty() => id.to_owned(),
                    _ => "of unknown id".to_owned(),
                };
                return Err(Error::InUse { place: place.to_owned(), process });
            }
            Err(TryLockError::Error(error)) => return Err(failed()(error)),
        }
        file.set_len(0).map_err(failed())?;
        file.rewind().map_err(failed())?;
        writeln!(file, "{}", std::process::id()).map_err(failed())?;
        Ok(Lock { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_locked_is_refused_with_the_process_that_has_it_and_free_once_that_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let lock_file = folder.path().join("lock");
        let lock = Lock::take(folder.path(), &lock_file).unwrap();

        let refusal = Lock::take(folder.path(), &lock_file).unwrap_err().to_string();
        let place = folder.path().display();
        let process = std::process::id();
        assert_eq!(
            refusal,
            format!("{place} is in use by process {process}; end that process, or choose another folder")
        );

        drop(lock);
        Lock::take(folder.path(), &lock_file).unwrap();
    }
}
