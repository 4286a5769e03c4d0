//! The whole of Footfall in one process, for a laptop and for tests of everything together.
//!
//! `backends` come first: PostgreSQL, DynamoDB and Kafka, embedded unless a variable names a real one. On them run the
//! `services` and the dataflow `job`, each as in production, with its own settings and over real sockets. When all is there, a
//! file tells what clients need (`environment`). Everything that lasts is in one folder.

mod args;
mod backends;
mod checklist;
mod environment;
mod folder;
mod job;
mod secrets;
mod services;
mod settings;

use std::io::IsTerminal as _;

use service_kit::{Error, allow_connections, stop_on_signals};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

pub use self::args::Args;
use self::backends::Backends;
use self::checklist::Checklist;
pub use self::checklist::say;
use self::folder::Folder;
use self::secrets::Secrets;
use self::services::Services;

/// Runs the platform until a signal stops it.
///
/// # Errors
/// One sentence about what keeps it from starting, or ended it.
pub fn main(args: &Args) -> Result<(), Error> {
    let filter = EnvFilter::try_new(&args.log)
        .map_err(|error| Error::Usage(format!("RUST_LOG is {:?}: {error}; write a filter such as warn", args.log)))?;
    // Nothing was set up before: this is the process's first line.
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    drop(lines.with_ansi(std::io::stderr().is_terminal()).try_init());
    allow_connections();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::Failed(format!("cannot start the runtime: {error}")))?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        stop_on_signals(stop.clone())?;
        run(args, &stop).await
    })
}

/// Runs the platform until `stop`.
///
/// # Errors
/// As [`main`].
pub async fn run(args: &Args, stop: &CancellationToken) -> Result<(), Error> {
    let folder = Folder::open(args.data.as_deref())?;
    let secrets = Secrets::of(args, &folder)?;
    let mut checklist = Checklist::new(&folder);
    let Some(backends) = stop.run_until_cancelled(Backends::start(args, &folder, &mut checklist)).await else {
        return Ok(());
    };
    let backends = backends?;
    // Services end before what they stand on.
    let result = run_on(args, &folder, &secrets, &backends, &mut checklist, stop).await;
    let stopped = backends.stop().await;
    result.and(stopped)
}

async fn run_on(
    args: &Args,
    folder: &Folder,
    secrets: &Secrets,
    backends: &Backends,
    checklist: &mut Checklist,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let mut services = Services::new();
    let started = async {
        let url = services.start(args, secrets, backends, folder, checklist).await?;
        environment::write(folder, secrets, backends, &url)?;
        checklist.ready(&url, folder);
        Ok(())
    };
    let started = stop.run_until_cancelled(started).await.unwrap_or(Ok(()));
    let ended = match started {
        Ok(()) => services.run_until(stop).await,
        Err(error) => Err(error),
    };
    environment::remove(folder);
    if stop.is_cancelled() {
        checklist.stopping();
    }
    ended.and(services.stop().await)
}
