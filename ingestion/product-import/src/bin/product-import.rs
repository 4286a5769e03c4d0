//! Imports a CSV file from this machine.

use std::process::ExitCode;

fn main() -> ExitCode {
    product_import::cli::main()
}
