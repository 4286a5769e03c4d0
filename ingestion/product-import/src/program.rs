//! From a program's flags and variables to its exit code.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;

use crate::Error;

/// Runs a program: 0 where everything went well, 1 where something did not, 64 for a wrong setting (`EX_USAGE` of sysexits.h).
pub(crate) fn run<A: Parser, F>(start: impl FnOnce(A) -> Result<F, Error>) -> ExitCode
where
    F: Future<Output = Result<bool, Error>>,
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
    match start(args).and_then(block_on) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            drop(writeln!(std::io::stderr(), "error: {error}"));
            ExitCode::from(if matches!(error, Error::Settings(_)) { 64 } else { 1 })
        }
    }
}

fn block_on<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Error::Internal(format!("cannot start the runtime: {error}")))?.block_on(work)
}
