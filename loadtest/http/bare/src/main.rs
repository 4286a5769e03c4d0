//! The limit of the services: what their framework, database driver and Kafka client do when nothing else is asked of
//! them. No identity, no metrics, no limits, no problem documents; the answers are those of the services. See
//! `loadtest/http`.

mod args;
mod events;
mod products;
mod server;

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    match server::serve(&args::Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("bare-limit: {trouble}");
            ExitCode::FAILURE
        }
    }
}
