//! What is said while the platform starts: one line for each part, when it is there.

use std::io::{IsTerminal as _, Write as _};
use std::time::Instant;

use schemas::names::PRODUCT_IMPORTS_BUCKET;

use crate::folder::Folder;

/// Writes a line to standard error. A reader that has gone is no reason to stop.
pub fn say(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

/// The lines so far.
#[derive(Debug)]
pub(crate) struct Checklist {
    began: Instant,
    has_colours: bool,
}

impl Checklist {
    pub(crate) fn new(folder: &Folder) -> Self {
        let what = if folder.is_temporary() { " (removed at the end; --data DIR keeps it)" } else { "" };
        say(&format!("footfall {} in {}{what}", env!("CARGO_PKG_VERSION"), folder.path().display()));
        Checklist { began: Instant::now(), has_colours: std::io::stderr().is_terminal() }
    }

    /// A part is there.
    pub(crate) fn done(&self, part: &str, place: &str) {
        let tick = if self.has_colours { "\u{1b}[32m✓\u{1b}[0m" } else { "✓" };
        say(&format!("  {tick} {part:<17} {place:<28} {:>5.1} s", self.began.elapsed().as_secs_f32()));
    }

    /// A part that is not ours.
    pub(crate) fn given(&self, part: &str, place: &str, variable: &str) {
        self.done(part, &format!("{place} (by {variable})"));
    }

    /// What is different from production.
    pub(crate) fn note(&self, note: &str) {
        say(&format!("  · {note}"));
    }

    /// Everything is there.
    pub(crate) fn ready(&self, url: &str, metrics: &str, s3: Option<&str>, folder: &Folder) {
        say(&format!("ready after {:.1} s; Ctrl-C ends it", self.began.elapsed().as_secs_f32()));
        let file = folder.join(crate::environment::FILE);
        let upload = s3.map(|s3| ("import products", format!("curl -T FILE.csv {s3}/{PRODUCT_IMPORTS_BUCKET}/")));
        let places = [
            ("live counts", url.to_owned()),
            ("API", format!("{url}/docs")),
            ("metrics", metrics.to_owned()),
            ("what clients need", file.display().to_string()),
        ];
        for (what, place) in places.into_iter().chain(upload) {
            let place = if self.has_colours { format!("\u{1b}[1m{place}\u{1b}[0m") } else { place };
            say(&format!("  {what:<19} {place}"));
        }
    }

    pub(crate) fn stopping(&self) {
        say("stopping: requests in work end, and what was read is committed");
    }
}
