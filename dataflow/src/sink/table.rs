//! The most viewed products of each window, for people.

use std::fmt::Write as _;

use schemas::ResultRow;

use super::Sink;
use crate::error::Error;
use crate::metrics::SinkMetrics;
use crate::output::Output;

const PRODUCTS: usize = 5;
const BAR_WIDTH: usize = 32;
/// Longer ids are cut.
const MAX_ID_CHARS: usize = 32;

/// Prints a small table for each window.
pub struct TableSink {
    output: Output,
    metrics: SinkMetrics,
}

impl TableSink {
    /// Writes to `output`.
    #[must_use]
    pub fn new(output: Output, metrics: SinkMetrics) -> Self {
        TableSink { output, metrics }
    }
}

impl Sink for TableSink {
    fn write_rows(&mut self, rows: &[ResultRow]) -> Result<(), Error> {
        self.output.write(table(rows).as_bytes())?;
        self.metrics.acknowledge_rows(rows.len());
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.output.flush()
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        self.output.finish()
    }
}

fn table(rows: &[ResultRow]) -> String {
    let mut text = String::new();
    let mut ranked: Vec<&ResultRow> = rows.iter().collect();
    ranked.sort_by_key(|row| std::cmp::Reverse(row.unique_user_count));
    let Some(first) = ranked.first() else { return text };
    let most = first.unique_user_count.max(1);
    let ids: Vec<String> = ranked.iter().take(PRODUCTS).map(|row| shown(&row.product_id)).collect();
    let id_width = ids.iter().map(|id| id.chars().count()).max().unwrap_or(0).max(7);
    let products = if ranked.len() == 1 { "product" } else { "products" };
    // Writing to a string cannot fail.
    let _ = writeln!(text, "\n{} to {}   {} {products} viewed", first.window, first.window.end_text(), ranked.len());
    let _ = writeln!(text, "  {:id_width$}  {:>12}", "product", "unique users");
    for (row, id) in ranked.iter().zip(ids) {
        let filled = usize::try_from(row.unique_user_count * BAR_WIDTH as u64 / most).unwrap_or(BAR_WIDTH);
        let bar = "█".repeat(filled.max(1));
        let _ = writeln!(text, "  {:id_width$}  {:>12}  {bar}", id, row.unique_user_count);
    }
    text
}

/// An id as a terminal may see it: senders choose ids, and must not steer the terminal with them or fill it.
fn shown(id: &str) -> String {
    let visible = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let mut shown: String = id.chars().take(MAX_ID_CHARS).map(visible).collect();
    if id.chars().nth(MAX_ID_CHARS).is_some() {
        shown.push('…');
    }
    shown
}
