//! Log lines: JSON for machines, text for people, on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, ServiceArgs};

/// Sets up the process's log lines. A second call in one process changes nothing: the first one decided.
///
/// # Errors
/// A filter that cannot be read, in one sentence.
pub fn init(args: &ServiceArgs) -> Result<(), String> {
    let filter = EnvFilter::try_new(&args.log)
        .map_err(|error| format!("RUST_LOG is {:?}: {error}; write a filter such as info", args.log))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let result = match args.log_format {
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).try_init(),
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    // An error says that logs are set up already.
    drop(result);
    Ok(())
}
