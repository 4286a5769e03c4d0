//! Which products lead in a minute.

use std::sync::Arc;

use schemas::Window;

use super::memory::{Memory, Row};

/// The products of a minute that lead, the first one first.
#[derive(Debug)]
pub(super) struct Ranking {
    pub(super) window: Window,
    pub(super) ranked: Vec<Ranked>,
}

/// A product and its minutes.
#[derive(Debug)]
pub(super) struct Ranked {
    pub(super) row: Arc<Row>,
    /// Its rows of the minutes up to this one, the last first.
    pub(super) history: Vec<Arc<Row>>,
}

impl Ranking {
    /// The first `limit` products of a minute, with their rows of `minutes` minutes, the minute's own included. The greater
    /// count comes first, and of equal counts the product whose id comes first in the order of bytes. Of a minute that is
    /// over only final counts are ranked.
    pub(super) fn of(memory: &Memory, window: Window, is_over: bool, limit: usize, minutes: u32) -> Self {
        let rows = memory.minute(window).into_iter().flat_map(|minute| minute.of(None));
        let mut rows: Vec<&Arc<Row>> = rows.filter(|row| row.row.is_final || !is_over).collect();
        let by_order = |a: &&Arc<Row>, b: &&Arc<Row>| {
            let (a, b) = (&a.row.row, &b.row.row);
            b.unique_user_count.cmp(&a.unique_user_count).then_with(|| a.product_id.cmp(&b.product_id))
        };
        if rows.len() > limit && limit > 0 {
            rows.select_nth_unstable_by(limit - 1, by_order);
            rows.truncate(limit);
        }
        rows.sort_unstable_by(by_order);
        let first = Window::from_ordinal(window.ordinal().saturating_sub(minutes.saturating_sub(1)));
        let history = |row: &Arc<Row>| {
            let product_id = &row.row.row.product_id;
            let mut rows: Vec<_> = match minutes {
                0 => Vec::new(),
                _ => memory.of_product(product_id, first, window).cloned().collect(),
            };
            rows.reverse();
            rows
        };
        let ranked = rows.into_iter().map(|row| Ranked { row: Arc::clone(row), history: history(row) }).collect();
        Ranking { window, ranked }
    }
}
