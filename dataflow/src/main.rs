//! The `dataflow` program: see `dataflow --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    dataflow::cli::main()
}
