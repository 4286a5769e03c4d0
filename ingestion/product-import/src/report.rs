//! What an import tells about itself while it runs and at its end.

use std::collections::BTreeMap;
use std::time::SystemTime;

use schemas::EventTime;
use serde::{Deserialize, Serialize};

use crate::file::{Encoding, Layout, Refusal};

/// What is added to a file's name for the report's.
pub const REPORT_SUFFIX: &str = ".report.json";
/// What is added to a file's name for that of the rows that failed.
pub const ERRORS_SUFFIX: &str = ".errors.csv";

/// How many rows there were, and what became of them. Those read are always the sum of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// Rows whose fate is known.
    pub read: u64,
    /// Rows that made a product.
    pub created: u64,
    /// Rows whose product had been made before: by an earlier attempt, or an earlier file of this name.
    pub unchanged: u64,
    /// Rows in the file of errors.
    pub failed: u64,
}

/// How far an import is. An import that is continued takes it with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The physical line to go on from: every row before it is done.
    pub line: u64,
    /// How often the import was continued.
    #[serde(default)]
    pub hop: u32,
    /// When it began.
    #[serde(default = "now")]
    pub started_at: EventTime,
    /// The rows that are done.
    #[serde(default)]
    pub rows: Rows,
    /// How many rows failed for which reason.
    #[serde(default)]
    pub reasons: BTreeMap<String, u64>,
}

/// What an import is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It reads rows, or will be continued.
    Running,
    /// Every row is done.
    Finished,
    /// The file, or the rest of it, is not imported, for the report's reason.
    Refused,
    /// Every row was looked at, and none sent.
    Checked,
}

/// The report of an import.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What it is doing.
    pub status: Status,
    /// The file's bucket; `file` on a laptop.
    pub bucket: String,
    /// The file's key, or its name.
    pub key: String,
    /// Which version of the object it is; none where the bucket keeps no versions.
    pub version: Option<String>,
    /// The object's ETag.
    pub etag: Option<String>,
    /// How far it is.
    #[serde(flatten)]
    pub progress: Progress,
    /// When this was written.
    pub updated_at: EventTime,
    /// When it ended.
    pub finished_at: Option<EventTime>,
    /// Where the rows that failed are; none while none has.
    pub errors_key: Option<String>,
    /// Why the file is refused, or the import was interrupted.
    pub reason: Option<Refusal>,
    /// Columns that are not imported.
    pub ignored_columns: Vec<String>,
    /// How the file's characters are written.
    pub encoding: Option<Encoding>,
    /// What stands between its cells.
    pub delimiter: Option<char>,
}

impl Progress {
    /// An import from the file's beginning.
    #[must_use]
    pub fn start() -> Self {
        Progress { line: 1, hop: 0, started_at: now(), rows: Rows::default(), reasons: BTreeMap::new() }
    }

    /// The same import from the file's beginning: what is done already will be found unchanged.
    #[must_use]
    pub fn again(&self) -> Self {
        Progress { hop: self.hop, started_at: self.started_at, ..Progress::start() }
    }
}

impl Report {
    /// Adds what the file's head tells.
    pub(crate) fn describe(&mut self, layout: &Layout) {
        self.ignored_columns.clone_from(&layout.columns.ignored);
        self.encoding = Some(layout.encoding);
        self.delimiter = Some(char::from(layout.dialect.delimiter));
    }
}

/// The present time.
pub(crate) fn now() -> EventTime {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let millis = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
    // A clock beyond the year 9999 shows that.
    EventTime::from_millis(millis).unwrap_or(EventTime::MAX)
}
