//! The customer service as a program.

use std::process::ExitCode;

use customer_service::Args;

fn main() -> ExitCode {
    service_kit::main(|args: &Args| &args.service, Args::check, customer_service::run)
}
