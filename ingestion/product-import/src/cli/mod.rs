//! The import as a program for people: a file of this machine, with a progress bar and the same report.

mod local;
mod table;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Url;
use secrecy::SecretString;

use self::local::{LocalFile, LocalOutputs};
use crate::import::{Ending, Import, Task};
use crate::program;
use crate::row::Origin;
use crate::settings::{ImportArgs, duration};
use crate::{Error, Gateway, Progress, Report};

/// The variable of the token: a flag would show it to everybody who lists processes.
const TOKEN: &str = "PRODUCT_API_TOKEN";
/// The bucket of files that are in none: part of their rows' keys.
const BUCKET: &str = "file";
/// Outputs on this machine cost little, and the bar shows what they say.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

/// Imports products from a CSV file.
///
/// Rows that fail are written to FILE.errors.csv with the reason; mend them there and import that file. The same file can be
/// imported again: no product is made twice. Variable PRODUCT_API_TOKEN: a token of role service or admin.
///
/// Ends with 0 where every row is in, 1 where some failed or the import did not end, 64 for a wrong setting.
#[derive(Clone, Debug, Parser)]
#[command(name = "product-import", version)]
pub struct Args {
    /// The file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The gateway's address
    #[arg(long, env = "PRODUCT_API_URL", value_name = "URL", required_unless_present = "dry_run")]
    pub gateway: Option<Url>,

    /// Send nothing: check encoding, header, number of cells and equal rows. What values must be like is known to the gateway alone
    #[arg(long)]
    pub dry_run: bool,

    /// How long a row is sent again while the gateway does not answer
    #[arg(long, env = "IMPORT_PATIENCE", value_name = "TIME", default_value = "5min", value_parser = duration)]
    pub patience: Duration,

    /// How the file is imported.
    #[command(flatten)]
    pub import: ImportArgs,
}

/// Runs the program.
pub fn main() -> ExitCode {
    program::run(|args: Args| {
        let gateway = gateway(&args)?;
        Ok(import(args, gateway))
    })
}

/// The gateway; none where nothing is sent.
fn gateway(args: &Args) -> Result<Option<Gateway>, Error> {
    let Some(url) = args.gateway.as_ref().filter(|_| !args.dry_run) else { return Ok(None) };
    let token = std::env::var(TOKEN).ok().filter(|token| !token.is_empty()).ok_or_else(|| {
        Error::Settings(format!("there is no token for the gateway; set {TOKEN} to one of role service or admin"))
    })?;
    Gateway::new(url, &SecretString::from(token), Some(args.patience)).map(Some)
}

/// Returns whether every row is in.
async fn import(args: Args, gateway: Option<Gateway>) -> Result<bool, Error> {
    let file = LocalFile::open(&args.file).await?;
    let bar = bar(file.length());
    let outputs = LocalOutputs::beside(&args.file, bar.clone());
    let origin = Origin { bucket: BUCKET.to_owned(), key: file.name() };
    let task = Task { origin, version: None, etag: None, progress: Progress::start() };
    let interval = args.import.import_checkpoint_interval.min(CHECKPOINT_INTERVAL);
    let settings = ImportArgs { import_checkpoint_interval: interval, ..args.import };
    let mut import = Import::new(task, gateway, outputs, settings, None);
    let ending = import.run(file.shown_by(bar.clone())).await;
    bar.finish_and_clear();
    // Whoever reads the table may have gone.
    drop(std::io::stdout().write_all(table::of(import.report()).as_bytes()));
    Ok(ending? == Ending::Finished && import.report().progress.rows.failed == 0)
}

/// A bar on standard error, if that is a terminal.
fn bar(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {elapsed} eta {eta} {msg}");
    // The template is a constant; without it, the bar has its usual form.
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}

/// The rows so far, beside the bar.
fn message(report: &Report) -> String {
    let rows = report.progress.rows;
    format!("{} created, {} unchanged, {} failed", rows.created, rows.unchanged, rows.failed)
}
