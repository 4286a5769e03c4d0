//! The programs of PostgreSQL, and how they are run as somebody who is not root.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;

/// Where Debian and its kin keep one folder for each major version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// As whom the server runs where we are root: the user that its package makes.
const SERVER_USER: &str = "postgres";
const PASSWD: &str = "/etc/passwd";

/// What the user and group of the server are called by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Where the programs are, and as whom they run.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    initdb: PathBuf,
    postgres: PathBuf,
    setpriv: Option<PathBuf>,
    /// Whom the data belongs to; none: whoever runs this process.
    pub(super) owner: Option<Owner>,
}

impl Programs {
    /// Looks for the programs.
    ///
    /// # Errors
    /// [`Error::NotInstalled`] where there is no PostgreSQL, [`Error::Root`] where it cannot run as somebody else.
    pub(super) fn find() -> Result<Self, Error> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders: Vec<PathBuf> = std::env::split_paths(&path).chain(versions(Path::new(VERSIONS))).collect();
        let find = |program: &str| folders.iter().map(|folder| folder.join(program)).find(|path| path.is_file());
        let must_find = |program| find(program).ok_or(Error::NotInstalled { program });
        let (initdb, postgres) = (must_find("initdb")?, must_find("postgres")?);
        let setpriv = find("setpriv");
        let owner = match rustix::process::geteuid().is_root() {
            false => None,
            true if setpriv.is_none() => {
                return Err(Error::Root {
                    missing: "there is no setpriv in PATH",
                    remedy: "install the package util-linux, or run as another user",
                });
            }
            true => Some(server_user(&fs::read_to_string(PASSWD).map_err(Error::io(format!("read {PASSWD}")))?)?),
        };
        Ok(Programs { initdb, postgres, setpriv, owner })
    }

    /// The command that makes a data folder.
    pub(super) fn initdb(&self) -> Command {
        self.command(&self.initdb, &[])
    }

    /// The command that serves one.
    pub(super) fn server(&self, data: &Path, port: u16) -> Command {
        // Fast shutdown, which does not wait for clients to leave, as soon as the thread that started it is gone.
        let mut command = self.command(&self.postgres, &["--pdeathsig", "INT"]);
        command.arg("-D").arg(data);
        for (setting, value) in [
            ("port", port.to_string().as_str()),
            ("listen_addresses", super::HOST),
            ("unix_socket_directories", ""),
            ("max_connections", "200"),
            ("fsync", "on"),
            ("logging_collector", "off"),
            ("log_destination", "stderr"),
        ] {
            command.arg("-c").arg(format!("{setting}={value}"));
        }
        command
    }

    /// A program, by way of `setpriv` where that is there and has something to do.
    fn command(&self, program: &Path, privileges: &[&str]) -> Command {
        let mut words: Vec<OsString> = Vec::new();
        if let Some(setpriv) = self.setpriv.as_ref().filter(|_| self.owner.is_some() || !privileges.is_empty()) {
            words.push(setpriv.into());
            if let Some(Owner { uid, gid }) = self.owner {
                words.extend(["--reuid", &uid.to_string(), "--regid", &gid.to_string()].map(OsString::from));
                words.push("--clear-groups".into());
            }
            words.extend(privileges.iter().map(OsString::from));
        }
        words.push(program.into());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        // A folder that every user can enter, and messages in the language that we quote.
        command.current_dir("/").env("LC_ALL", "C").env_remove("PGPORT").env_remove("PGDATA");
        command
    }
}

/// The programs' folders, the newest version first.
fn versions(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let version = |name: &OsStr| name.to_str()?.parse::<u32>().ok();
    let mut found: Vec<_> =
        entries.flatten().filter_map(|entry| Some((version(&entry.file_name())?, entry.path().join("bin")))).collect();
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    found.into_iter().map(|(_, folder)| folder).collect()
}

/// The server's user in the text of `/etc/passwd`.
fn server_user(passwd: &str) -> Result<Owner, Error> {
    let owner = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        (name == SERVER_USER).then_some(Owner { uid, gid })
    });
    owner.ok_or(Error::Root {
        missing: "there is no user postgres",
        remedy: "make one with `adduser --system postgres`, or run as another user",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_versions_the_newest_comes_first_by_number() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["9", "15", "100", "common"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let expected = ["100", "15", "9"].map(|name| folder.path().join(name).join("bin"));
        assert_eq!(versions(folder.path()), expected);
        assert!(versions(&folder.path().join("missing")).is_empty());
    }

    #[test]
    fn the_servers_user_is_found_by_its_whole_name() {
        let passwd =
            "root:x:0:0::/root:/bin/sh\npostgresql:x:7:8::/:/bin/sh\npostgres:x:101:104:PostgreSQL:/:/bin/sh\n";
        assert_eq!(server_user(passwd).unwrap(), Owner { uid: 101, gid: 104 });
        let refusal = server_user("root:x:0:0::/root:/bin/sh\n").unwrap_err().to_string();
        assert!(refusal.contains("there is no user postgres; make one"), "{refusal}");
    }
}
