//! The whole of Footfall in one process, for a laptop and for tests of everything together.
//!
//! `backends` come first: PostgreSQL, DynamoDB, SQS, S3 and Kafka, embedded unless a variable names a real one. On them run the
//! `services` and the dataflow `job`, each as in production, with its own settings and over real sockets. When all is there, a
//! file tells what clients need (`environment`), and the `demo` shop opens. Files that are put into S3 are imported (`imports`). Everything that lasts is in one folder.
//!
//! Other processes reach a platform that runs by a socket in its folder (`control`): a `command` asks for `faults`, or for the
//! demo's answer key. The `admin` port has the metrics of all parts.

mod admin;
mod args;
mod backends;
mod checklist;
mod command;
mod control;
mod demo;
mod environment;
mod faults;
mod folder;
mod imports;
mod job;
mod open;
mod secrets;
mod services;
mod settings;
mod welcome;

use std::io::IsTerminal as _;

use ::backends::s3::Created;
use schemas::names::PRODUCT_IMPORTS_BUCKET;
use service_kit::{Error, allow_connections, stop_on_signals};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use self::admin::Parts;
pub use self::args::Args;
use self::backends::Backends;
use self::checklist::Checklist;
pub use self::checklist::say;
pub use self::command::{Command, FaultsArgs, Question};
use self::control::Control;
pub use self::demo::DemoArgs;
pub use self::faults::{Dependency, Fault};
use self::folder::Folder;
use self::imports::Imports;
use self::open::Open;
use self::secrets::Secrets;
use self::services::Services;
use self::settings::Given;

/// Runs the platform until a signal stops it, or carries out a command to one that runs.
///
/// # Errors
/// One sentence about what keeps it from starting, or ended it, or why the command is not carried out.
pub fn main(args: &Args) -> Result<(), Error> {
    if let Some(command) = &args.command {
        return command::run(command, args.data.as_deref());
    }
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
    let (told, created) = mpsc::unbounded_channel();
    let Some(backends) = stop.run_until_cancelled(Backends::start(args, &folder, told, &mut checklist)).await else {
        return Ok(());
    };
    let backends = backends?;
    // Services end before what they stand on.
    let result = run_on(args, &folder, &secrets, &backends, created, &mut checklist, stop).await;
    let stopped = backends.stop().await;
    result.and(stopped)
}

async fn run_on(
    args: &Args,
    folder: &Folder,
    secrets: &Secrets,
    backends: &Backends,
    created: UnboundedReceiver<Created>,
    checklist: &mut Checklist,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let mut services = Services::new();
    let given = Given { secrets, backends };
    let started = async {
        let url = services.start(args, secrets, backends, folder, checklist).await?;
        if let Some(s3) = backends.s3() {
            services.import(Imports::new(&s3, &url, &secrets.import_token, created).await?);
            checklist.done(product_import::NAME, &format!("s3://{PRODUCT_IMPORTS_BUCKET}/*.csv"));
        }
        let parts = Parts::new(services.parts())?;
        let metrics = admin::start(args.admin_addr(), parts.clone(), stop.child_token()).await?;
        let control = Control::listen(folder);
        if let Err(error) = &control {
            checklist.note(&error.to_string());
        }
        environment::write(folder, secrets, backends, &url, &metrics)?;
        checklist.ready(&url, &metrics, backends.s3().as_deref(), folder);
        Ok((url, parts, control.ok()))
    };
    let started = stop.run_until_cancelled(started).await;
    let ended = match started {
        Some(Ok((url, parts, control))) => {
            let open = Open { args, folder, given, url: &url, switches: services.switches(), parts };
            open.until_ended(&mut services, control.as_ref(), stop).await
        }
        Some(Err(error)) => Err(error),
        // Stopped while it started.
        None => services.run_until(stop).await,
    };
    environment::remove(folder);
    if stop.is_cancelled() {
        checklist.stopping();
    }
    ended.and(services.stop().await)
}
