//! `footfall`: the whole platform on one machine.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let args = match local::Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let code = if error.use_stderr() { 64 } else { 0 };
            // There is nowhere left to complain to.
            drop(error.print());
            return ExitCode::from(code);
        }
    };
    match local::main(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            local::say(&format!("footfall: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}
