//! A service as a program that ends by itself: with its tables made, or with a wrong setting.

use std::process::{Command, Output};

/// Runs a program with these flags and no variables, and waits for its end.
#[must_use]
pub fn run(program: &str, flags: &[String]) -> Output {
    Command::new(program).env_clear().args(["--listen-addr", "127.0.0.1:0"]).args(flags).output().unwrap()
}

/// Flags and more flags.
#[must_use]
pub fn with(mut flags: Vec<String>, more: &[&str]) -> Vec<String> {
    flags.extend(more.iter().map(|flag| (*flag).to_owned()));
    flags
}

/// How it ended, and what it said.
#[must_use]
pub fn code_and_error(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}
