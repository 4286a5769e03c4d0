//! The order service as a program.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::main(|args: &order_service::Args| &args.service, order_service::Args::check, order_service::run)
}
