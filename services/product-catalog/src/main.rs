//! The product catalog as a program.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::main(|args: &product_catalog::Args| &args.service, |_| Ok(()), product_catalog::run)
}
