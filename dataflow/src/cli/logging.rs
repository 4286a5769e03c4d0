//! Log lines on standard error, and what the program says there beside them.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Starts logging; `RUST_LOG` chooses what, by default information of ours and warnings of others.
pub(super) fn init(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,dataflow=info"));
    // Only the first call counts, and there is no other.
    let _ = FORMAT.set(format);
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        // They would be reported with `eprintln!`, which panics where standard error is closed.
        .log_internal_errors(false);
    match format {
        LogFormat::Text => subscriber.with_target(false).init(),
        LogFormat::Json => subscriber.json().init(),
    }
}

/// Whether standard error is read by a machine: then every line of it is a JSON object.
pub(super) fn is_json() -> bool {
    FORMAT.get() == Some(&LogFormat::Json)
}

/// Writes text with its line ends to standard error. A reader that has gone, or a full disk, is no reason to panic, as
/// `eprintln!` would.
pub(super) fn say(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Says one sentence: for machines as a log line.
pub(super) fn note(sentence: &str) {
    if is_json() { tracing::info!("{sentence}") } else { say(&format!("{sentence}\n")) }
}

/// Says why the program fails.
pub(super) fn report(error: &crate::error::Error) {
    if is_json() {
        tracing::error!(exit_code = error.exit_code(), "{error}");
    } else {
        say(&format!("dataflow: {error}\n"));
    }
}
