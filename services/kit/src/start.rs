//! From `main` to a service that runs, and back to an exit code.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::ServiceArgs;
use crate::service::Listeners;
use crate::telemetry;

/// Why a service does not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting is missing or wrong: found before anything is bound or connected to.
    #[error("{0}")]
    Usage(String),
    /// The service cannot go on.
    #[error("{0}")]
    Failed(String),
}

impl Error {
    /// The process's exit code (64 is `EX_USAGE` of sysexits.h).
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_) => 64,
            Error::Failed(_) => 1,
        }
    }
}

/// Runs a service as a program: settings, logs, addresses, then `run` until a signal stops it.
///
/// `service_args` says where in the service's settings the common ones are, `check` whether its own go together: that is
/// found out before anything is bound or connected to.
pub fn main<A, F>(
    service_args: fn(&A) -> &ServiceArgs,
    check: fn(&A) -> Result<(), Error>,
    run: impl FnOnce(A, Listeners, CancellationToken) -> F,
) -> ExitCode
where
    A: Parser,
    F: Future<Output = Result<(), Error>>,
{
    let args = match A::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let code = if error.use_stderr() { 64 } else { 0 };
            // There is nowhere left to complain to.
            drop(error.print());
            return ExitCode::from(code);
        }
    };
    match check(&args).and_then(|()| start(args, service_args, run)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "error: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

fn start<A, F>(
    args: A,
    service_args: fn(&A) -> &ServiceArgs,
    run: impl FnOnce(A, Listeners, CancellationToken) -> F,
) -> Result<(), Error>
where
    F: Future<Output = Result<(), Error>>,
{
    let common = service_args(&args).clone();
    telemetry::init(&common).map_err(Error::Usage)?;
    allow_connections();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::Failed(format!("cannot start the runtime: {error}")))?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        stop_on_signals(stop.clone())?;
        let listeners = Listeners::bind(&common).await?;
        run(args, listeners, stop).await
    })
}

/// Lets the process have as many files open as the system allows: every connection is one, and many systems begin with 1024.
pub fn allow_connections() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => tracing::debug!(limit, "open files"),
        Err(error) => tracing::warn!(%error, "the limit of open files stays; connections beyond it are not taken"),
    }
}

/// Cancels `stop` at the first SIGTERM or Ctrl-C, and ends the process at the second.
///
/// # Errors
/// Where the system has no signals for us.
pub fn stop_on_signals(stop: CancellationToken) -> Result<(), Error> {
    let listen = |kind| signal(kind).map_err(|error| Error::Failed(format!("cannot listen for signals: {error}")));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    tokio::spawn(async move {
        loop {
            let code = tokio::select! {
                _ = terminate.recv() => 143,
                _ = interrupt.recv() => 130,
            };
            if stop.is_cancelled() {
                std::process::exit(code);
            }
            stop.cancel();
        }
    });
    Ok(())
}

impl Listeners {
    /// Takes the addresses that the settings name.
    ///
    /// # Errors
    /// An address that is taken or not ours, with the variable that names it.
    pub async fn bind(args: &ServiceArgs) -> Result<Self, Error> {
        let public = bind("LISTEN_ADDR", args.listen_addr).await?;
        let admin = match args.admin_addr {
            Some(address) => Some(bind("ADMIN_ADDR", address).await?),
            None => None,
        };
        Ok(Listeners { public, admin })
    }
}

async fn bind(variable: &str, address: std::net::SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|error| {
        Error::Failed(format!("cannot listen on {address}: {error}; choose another address with {variable}"))
    })
}
