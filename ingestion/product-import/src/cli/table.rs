//! What is printed at the end.

use std::fmt::Write as _;

use crate::Report;
use crate::report::Status;

/// The counts, the reasons and where to look, for people.
pub(super) fn of(report: &Report) -> String {
    let mut text = String::new();
    // A text takes whatever is written to it.
    let _ = write(&mut text, report);
    text
}

fn write(text: &mut String, report: &Report) -> std::fmt::Result {
    let ended = match report.status {
        Status::Running => "not finished",
        Status::Finished => "finished",
        Status::Refused => "refused",
        Status::Checked => "checked, nothing sent",
    };
    writeln!(text, "{}: {ended}", report.key)?;
    if let Some(reason) = &report.reason {
        writeln!(text, "  {}: {}", reason.code, reason.detail)?;
    }
    let rows = report.progress.rows;
    writeln!(text, "  {:<24} {:>9}", "rows read", rows.read)?;
    if report.status != Status::Checked {
        writeln!(text, "  {:<24} {:>9}", "created", rows.created)?;
        writeln!(text, "  {:<24} {:>9}", "unchanged", rows.unchanged)?;
    }
    writeln!(text, "  {:<24} {:>9}", "failed", rows.failed)?;
    for (reason, count) in &report.progress.reasons {
        writeln!(text, "    {reason:<22} {count:>9}")?;
    }
    if !report.ignored_columns.is_empty() {
        writeln!(text, "  not imported: {}", report.ignored_columns.join(", "))?;
    }
    if let Some(errors) = &report.errors_key {
        writeln!(text, "  rows that failed: {errors}")?;
    }
    Ok(())
}
