//! The folder in which everything lasts.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use backends::Lock;
use service_kit::Error;
use tempfile::TempDir;

/// A folder that this process alone uses.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: Lock,
    /// Removed at the end.
    temporary: Option<TempDir>,
}

impl Folder {
    /// The given folder, made where it is not there, or a temporary one.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Error> {
        let (path, temporary) = match path {
            Some(path) => (path.to_owned(), None),
            None => {
                // PostgreSQL, which root runs as somebody else, has to get through.
                let others_may_enter = std::fs::Permissions::from_mode(0o711);
                let folder = tempfile::Builder::new().prefix("footfall-").permissions(others_may_enter).tempdir();
                let folder =
                    folder.map_err(|error| Error::Failed(format!("cannot make a temporary folder: {error}")))?;
                (folder.path().to_owned(), Some(folder))
            }
        };
        let unusable = |error| {
            Error::Failed(format!("cannot use the folder {}: {error}; choose another with --data", path.display()))
        };
        std::fs::create_dir_all(&path).map_err(unusable)?;
        let path = path.canonicalize().map_err(unusable)?;
        let lock = Lock::take(&path, &path.join("footfall.lock")).map_err(|error| Error::Failed(error.to_string()))?;
        Ok(Folder { path, _lock: lock, temporary })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) const fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// A place in the folder.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}
