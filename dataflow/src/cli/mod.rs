//! The command line: `dataflow run | replay | generate | resume | demo`.

mod args;
mod demo;
mod execute;
mod generate;
mod logging;
mod progress;
mod records;
mod resume;
mod sinks;
mod sources;
mod stalls;
mod summary;
mod supervise;

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::classify::Rules;
use crate::error::Error;
use args::{DemoArgs, ReplayArgs, ResumeShowArgs, RunArgs};
use execute::{Host, Stop};
use logging::LogFormat;

/// Counts, exactly and live, how many different people look at each product of a shop, minute by minute.
#[derive(Debug, Parser)]
#[command(name = "dataflow", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    /// How log lines on standard error are written. What is logged is set by RUST_LOG, such as `info` or
    /// `dataflow=debug`.
    #[arg(long, global = true, env = "FOOTFALL_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text,
        value_name = "FORMAT", display_order = 900)]
    log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Counts live: follows a Kafka topic until it is stopped, and goes on where it was when it is started again. Files
    /// and standard input end by themselves.
    Run(Box<RunArgs>),
    /// Counts what is there already and ends: files, standard input, or a topic up to its present end.
    Replay(Box<ReplayArgs>),
    /// Generates user activity, the same for the same seed, and the exact results that it must lead to.
    Generate(Box<generate::GenerateArgs>),
    /// Shows where a run of a topic goes on when it is started again, and what it would read.
    #[command(subcommand)]
    Resume(ResumeCommand),
    /// Counts a generated stream of events and shows the most viewed products; the default without a command.
    Demo(DemoArgs),
}

/// What is shown of resume records.
#[derive(Debug, Subcommand)]
enum ResumeCommand {
    /// The records, as they are.
    Show(Box<ResumeShowArgs>),
    /// What a job with these settings would read again, and read, if it were started now; or why it would refuse to.
    Plan(Box<ResumeShowArgs>),
}

/// Parses the command line, runs the command, and reports its failure in one sentence.
#[must_use]
pub fn main() -> ExitCode {
    supervise::end_with_supervisor();
    let matches = without_empty_variables(Cli::command()).try_get_matches();
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return report_usage(&error),
    };
    logging::init(cli.log_format);
    let result = match cli.command.unwrap_or_else(|| Command::Demo(DemoArgs::default())) {
        Command::Run(args) => match args.processes {
            Some(processes) => match supervise::supervise(processes, args.admin_addr.0) {
                Ok(code) => return code,
                Err(error) => Err(error),
            },
            None => execute::run(&args, Stop::AtSignals),
        },
        Command::Replay(args) => execute::replay(&args),
        Command::Generate(args) => generate::generate(&args),
        Command::Resume(ResumeCommand::Show(args)) => records::show(&args),
        Command::Resume(ResumeCommand::Plan(args)) => records::plan(&args),
        Command::Demo(args) => execute::demo(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            logging::report(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Runs `dataflow run` as a part of this process, with these flags, until `stop` is done; then it commits what it has read, as
/// at an interrupt. Logs are the caller's, and what a program says at its end is left out. `tell_admin_addr` is told where
/// the metrics are, unless they are off.
///
/// # Errors
/// As the program ends with, in one sentence.
pub fn run_until<T>(
    flags: impl IntoIterator<Item = T>,
    stop: impl Future<Output = ()> + Send + 'static,
    tell_admin_addr: impl FnOnce(SocketAddr) + Send + 'static,
) -> Result<(), Error>
where
    T: Into<OsString> + Clone,
{
    let host = Host { stop: Box::pin(stop), tell_admin_addr: Box::new(tell_admin_addr) };
    let args = run_args(flags)?;
    execute::run(&args, Stop::When(host))
}

/// What the counts of `dataflow run` with these flags, and the variables that are set, depend on.
///
/// # Errors
/// [`Error::Usage`], as the program ends with.
pub fn rules<T>(flags: impl IntoIterator<Item = T>) -> Result<Rules, Error>
where
    T: Into<OsString> + Clone,
{
    let job = run_args(flags)?.job;
    Ok(job.rules.rules(&job.source))
}

fn run_args<T>(flags: impl IntoIterator<Item = T>) -> Result<Box<RunArgs>, Error>
where
    T: Into<OsString> + Clone,
{
    let program = ["dataflow", "run"].map(OsString::from).into_iter();
    let matches = without_empty_variables(Cli::command())
        .try_get_matches_from(program.chain(flags.into_iter().map(Into::into)))
        .map_err(|error| Error::Usage(error.to_string()))?;
    match Cli::from_arg_matches(&matches).map_err(|error| Error::Usage(error.to_string()))?.command {
        Some(Command::Run(args)) => Ok(args),
        _ => Err(Error::Usage("only `dataflow run` can be a part of another program".to_owned())),
    }
}

/// An environment variable that is set to nothing means the same as one that is not set.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |variable: &OsStr| std::env::var_os(variable).is_some_and(|value| value.is_empty());
    let forget = |arg: Arg| if arg.get_env().is_some_and(is_empty) { arg.env(Resettable::Reset) } else { arg };
    command.mut_args(forget).mut_subcommands(without_empty_variables)
}

/// Shows help and version on standard output; anything else is a mistake in the command line.
fn report_usage(error: &clap::Error) -> ExitCode {
    // Nothing is left to do when even that cannot be written.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(Error::Usage(String::new()).exit_code()) } else { ExitCode::SUCCESS }
}

/// The definition of the command line, for documentation.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}
