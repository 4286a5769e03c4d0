//! The product catalog as a program.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::main(|args: &product_catalog::Args| &args.service, product_catalog::run)
}
