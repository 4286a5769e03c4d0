//! Imports CSV files that are put into a bucket, as a Lambda.

use std::process::ExitCode;

fn main() -> ExitCode {
    product_import::lambda::main()
}
