//! The API gateway as a program.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::main(|args: &api_gateway::Args| &args.service, api_gateway::Args::check, api_gateway::run)
}
