//! Mixed load on the whole shop while each of its services is restarted, and the balance of what it left behind: every order,
//! piece of stock and event that a client was told of is there, once. See README.md.

mod args;
mod balance;
mod books;
mod client;
mod platform;
mod program;
mod report;
mod shop;
mod suite;
mod user;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let is_right = suite::run(&args::Args::parse()).unwrap_or_else(|trouble| {
        eprintln!("shop-load: {trouble}");
        false
    });
    if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
