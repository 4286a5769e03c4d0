//! Secrets that are made up on this machine, for this machine.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::Error;

/// Random bits of a secret: nobody guesses 192.
const BYTES: usize = 24;
/// Where the system's randomness comes from.
const SOURCE: &str = "/dev/urandom";

/// A new secret, in hexadecimal digits.
///
/// # Errors
/// Where the system has no randomness.
pub fn random() -> Result<String, Error> {
    let mut bytes = [0; BYTES];
    let mut source = File::open(SOURCE).map_err(Error::io(format!("open {SOURCE}")))?;
    source.read_exact(&mut bytes).map_err(Error::io(format!("read {SOURCE}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The secret in a file that only its owner reads; a new one where there is no such file.
///
/// # Errors
/// Where the file cannot be read or written.
pub fn kept_in(path: &Path) -> Result<String, Error> {
    match fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        Ok(_) => renew(path),
        Err(error) if error.kind() == ErrorKind::NotFound => renew(path),
        Err(error) => Err(Error::at("read", path)(error)),
    }
}

fn renew(path: &Path) -> Result<String, Error> {
    let secret = random()?;
    write_private(path, &format!("{secret}\n"))?;
    Ok(secret)
}

/// Writes a file that only its owner reads, whole or not at all.
///
/// # Errors
/// Where it cannot be written.
pub fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    let failed = || Error::at("write", path);
    let draft = path.with_added_extension("new");
    // One that is left over keeps the mode it has.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed()(error)),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(failed())?;
    file.write_all(text.as_bytes()).map_err(failed())?;
    file.sync_all().map_err(failed())?;
    fs::rename(&draft, path).map_err(failed())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_is_made_once_for_its_owner_alone_and_differs_from_every_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let secret = kept_in(&path).unwrap();
        assert_eq!(secret.len(), 2 * BYTES);
        assert_eq!(kept_in(&path).unwrap(), secret);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_ne!(random().unwrap(), secret);
    }
}
