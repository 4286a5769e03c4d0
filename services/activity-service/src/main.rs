//! The activity service as a program.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::main(
        |args: &activity_service::Args| &args.service,
        activity_service::Args::check,
        activity_service::run,
    )
}
