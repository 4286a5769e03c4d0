//! The data folder: made once, whole or not at all, with a password of its own.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, test_kill_process};
use tokio::time::Instant;

use super::programs::{Owner, Programs};
use super::{USER, beside};
use crate::{Error, secret};

/// In the data folder: the superuser's password.
const PASSWORD_FILE: &str = "footfall.password";
/// What every data folder of PostgreSQL has.
const MARK: &str = "PG_VERSION";
/// How long an earlier server may take to end, once its process has died.
const PATIENCE: Duration = Duration::from_secs(20);
const ANYBODY_MAY_ENTER: u32 = 0o001;

/// Makes the data folder where it is not there, and returns the password that its superuser has.
pub(super) fn prepare(programs: &Programs, data: &Path) -> Result<String, Error> {
    if let Some(owner) = programs.owner {
        check_way(data, owner)?;
    }
    if !data.join(MARK).is_file() {
        init(programs, data)?;
    } else if let Some(owner) = programs.owner.filter(|owner| !belongs_to(data, *owner)) {
        // Copied or moved by root.
        give(data, owner).map_err(Error::at("give the user postgres", data))?;
    }
    secret::kept_in(&data.join(PASSWORD_FILE))
}

/// Makes a new one beside it and renames that, so that it is never seen half made.
fn init(programs: &Programs, data: &Path) -> Result<(), Error> {
    if fs::read_dir(data).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::ForeignFolder { folder: data.to_owned() });
    }
    let draft = beside(data, "new");
    let password_file = beside(data, "password");
    remove(&draft)?;
    fs::create_dir(&draft).map_err(Error::at("make", &draft))?;
    let password = secret::random()?;
    secret::write_private(&password_file, &password)?;
    if let Some(Owner { uid, gid }) = programs.owner {
        for path in [&draft, &password_file] {
            lchown(path, Some(uid), Some(gid)).map_err(Error::at("give the user postgres", path))?;
        }
    }
    let result = run_initdb(programs, &draft, &password_file);
    fs::remove_file(&password_file).map_err(Error::at("remove", &password_file))?;
    result?;
    secret::write_private(&draft.join(PASSWORD_FILE), &password)?;
    fs::rename(&draft, data).map_err(Error::at("make", data))
}

fn run_initdb(programs: &Programs, folder: &Path, password_file: &Path) -> Result<(), Error> {
    let output = programs
        .initdb()
        .arg("-D")
        .arg(folder)
        .args(["--username", USER, "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"])
        .arg("--pwfile")
        .arg(password_file)
        .stdin(Stdio::null())
        .output()
        .map_err(Error::io("run initdb"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error::Program { program: "initdb", said: last_lines(&said) })
}

fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::at("remove", folder)(error)),
        _ => Ok(()),
    }
}

/// Checks that the server's user gets as far as the data folder.
fn check_way(data: &Path, owner: Owner) -> Result<(), Error> {
    for folder in data.ancestors().skip(1) {
        let metadata = fs::metadata(folder).map_err(Error::at("look at", folder))?;
        if metadata.uid() != owner.uid && metadata.permissions().mode() & ANYBODY_MAY_ENTER == 0 {
            return Err(Error::Unreachable { folder: folder.to_owned() });
        }
    }
    Ok(())
}

fn belongs_to(path: &Path, owner: Owner) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.uid() == owner.uid)
}

fn give(path: &Path, owner: Owner) -> io::Result<()> {
    lchown(path, Some(owner.uid), Some(owner.gid))?;
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), owner)?;
        }
    }
    Ok(())
}

/// Waits until the server of a process that has died is gone too. The system tells that server to end, but nobody when it
/// has ended, so it is looked at again and again.
pub(super) async fn wait_until_free(data: &Path) -> Result<(), Error> {
    let deadline = Instant::now() + PATIENCE;
    while let Some(process) = running_server(data) {
        if Instant::now() > deadline {
            return Err(Error::StillRuns { folder: data.to_owned(), process: process.as_raw_nonzero().get() });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// The server that has written itself down in the data folder, if it runs. A number that another program has by now does
/// not count: a server's working folder is its data folder.
fn running_server(data: &Path) -> Option<Pid> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let process = Pid::from_raw(text.lines().next()?.trim().parse().ok()?)?;
    let runs = match fs::read_link(format!("/proc/{}/cwd", process.as_raw_nonzero())) {
        Ok(folder) => fs::canonicalize(data).is_ok_and(|data| data == folder),
        Err(error) if error.kind() == ErrorKind::NotFound && Path::new("/proc/self").exists() => false,
        // No such folder on this system, or not for us to read.
        Err(_) => test_kill_process(process).is_ok(),
    };
    runs.then_some(process)
}

/// What a message quotes of a program's output.
pub(super) fn last_lines(text: &str) -> String {
    const LINES: usize = 5;
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() { "nothing".to_owned() } else { lines[lines.len().saturating_sub(LINES)..].join(" | ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_quotes_the_last_lines_that_say_something() {
        assert_eq!(last_lines(""), "nothing");
        assert_eq!(last_lines("\n a\n\n"), "a");
        assert_eq!(last_lines("1\n2\n3\n4\n5\n6\n"), "2 | 3 | 4 | 5 | 6");
    }

    #[test]
    fn a_server_that_is_written_down_counts_only_while_it_runs_on_that_folder() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(running_server(data.path()), None);
        // This process runs, but in another folder.
        fs::write(data.path().join("postmaster.pid"), format!("{}\n", std::process::id())).unwrap();
        assert_eq!(running_server(data.path()), None);
    }
}
