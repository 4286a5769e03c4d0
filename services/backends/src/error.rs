//! Why a backend does not start, or has failed.

use std::io;
use std::path::{Path, PathBuf};

/// One sentence for the user, with the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another program listens there.
    #[error("port {port} for {backend} is in use; end the program that listens there, or choose another port")]
    PortInUse {
        /// The port of 127.0.0.1.
        port: u16,
        /// Who was to listen.
        backend: &'static str,
    },
    /// Another process has the data.
    #[error("{} is in use by process {process}; end that process, or choose another folder", place.display())]
    InUse {
        /// The file or folder.
        place: PathBuf,
        /// The process, as it wrote itself down.
        process: String,
    },
    /// The system refused something that a backend needs.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was tried, with the name of the thing.
        doing: String,
        /// Why not.
        source: io::Error,
    },
    /// There is no PostgreSQL on this machine.
    #[error(
        "there is no {program} in PATH nor in /usr/lib/postgresql; install it, such as with `apt-get install \
         postgresql`, or set DB_HOST to a server that runs"
    )]
    NotInstalled {
        /// What was looked for.
        program: &'static str,
    },
    /// PostgreSQL does not run as root, and cannot become anybody else.
    #[error("PostgreSQL refuses to run as root, and {missing}; {remedy}")]
    Root {
        /// What is not there.
        missing: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// The user that PostgreSQL runs as does not reach its data.
    #[error(
        "the user postgres, as whom PostgreSQL runs, cannot enter {}; allow it with `chmod o+x {}`, or choose another folder",
        folder.display(),
        folder.display()
    )]
    Unreachable {
        /// The folder that keeps it out.
        folder: PathBuf,
    },
    /// The folder holds something else.
    #[error("{} holds no PostgreSQL data and is not empty; choose another folder", folder.display())]
    ForeignFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// An earlier server has outlived its process.
    #[error("a PostgreSQL server still runs on {} as process {process}; end it with `kill -INT {process}`", folder.display())]
    StillRuns {
        /// The data folder.
        folder: PathBuf,
        /// The server's process.
        process: i32,
    },
    /// A program ended with something other than success.
    #[error("{program} failed: {said}")]
    Program {
        /// Its name.
        program: &'static str,
        /// The last lines that it wrote.
        said: String,
    },
    /// The server did not answer in time.
    #[error("PostgreSQL has not answered for {seconds} s; its log {} ends with: {said}", log.display())]
    NotReady {
        /// How long it was waited for.
        seconds: u64,
        /// The server's log.
        log: PathBuf,
        /// The last lines of the log.
        said: String,
    },
    /// A statement failed.
    #[error("PostgreSQL refuses to {doing}: {source}")]
    Database {
        /// What was tried.
        doing: String,
        /// Why not.
        source: sqlx::Error,
    },
    /// A name that would have to be quoted everywhere.
    #[error(
        "{name:?} is no name for a database; use 1 to 63 lower case letters, digits and underscores, no digit first"
    )]
    DatabaseName {
        /// The name.
        name: String,
    },
    /// The emulator of DynamoDB failed.
    #[error("DynamoDB's emulator cannot {doing}: {reason}")]
    DynamoDb {
        /// What was tried.
        doing: String,
        /// Why not.
        reason: String,
    },
    /// The emulator of SQS failed.
    #[error("SQS's emulator cannot {doing}: {reason}")]
    Sqs {
        /// What was tried.
        doing: String,
        /// Why not.
        reason: String,
    },
    /// The emulator of S3 failed.
    #[error("S3's emulator cannot {doing}: {reason}")]
    S3 {
        /// What was tried.
        doing: String,
        /// Why not.
        reason: String,
    },
    /// The broker failed.
    #[error("the Kafka broker cannot {doing}: {reason}")]
    Kafka {
        /// What was tried.
        doing: String,
        /// Why not.
        reason: String,
    },
}

impl Error {
    /// Makes an error of the system one that says what was tried.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        let doing = doing.into();
        |source| Error::Io { doing, source }
    }

    /// The same, for something that was tried with a file or folder.
    pub(crate) fn at(doing: &str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
        Error::io(format!("{doing} {}", path.display()))
    }
}
