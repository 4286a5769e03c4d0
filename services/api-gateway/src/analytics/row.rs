//! A count, from whichever source it comes.

use schemas::{ResultRow, TopicRow};
use serde::Serialize;
use utoipa::ToSchema;

/// How many different users looked at a product in one minute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct WindowCount {
    /// The product.
    #[schema(example = "42")]
    product_id: String,
    /// When the minute begins, UTC.
    #[schema(example = "2024-01-01T12:00:00Z")]
    window_start: String,
    /// When it ends.
    #[schema(example = "2024-01-01T12:01:00Z")]
    window_end: String,
    /// How many different users.
    #[schema(example = 17)]
    unique_user_count: u64,
    /// Grows each time that a final count changes, which late events can do; 0 at first.
    revision: u64,
    /// Whether the minute is over; the count of a running minute still grows.
    r#final: bool,
}

impl WindowCount {
    /// The columns of a CSV file, as [`COLUMNS`] names them.
    pub(super) fn columns(&self) -> [String; 6] {
        [
            self.product_id.clone(),
            self.window_start.clone(),
            self.window_end.clone(),
            self.unique_user_count.to_string(),
            self.revision.to_string(),
            self.r#final.to_string(),
        ]
    }
}

/// The names of a count's columns.
pub(super) const COLUMNS: [&str; 6] =
    ["product_id", "window_start", "window_end", "unique_user_count", "revision", "final"];

impl From<TopicRow> for WindowCount {
    fn from(TopicRow { row, is_final }: TopicRow) -> Self {
        let ResultRow { product_id, window, unique_user_count, revision } = row;
        WindowCount {
            product_id,
            window_start: window.start_text(),
            window_end: window.end_text(),
            unique_user_count,
            revision,
            r#final: is_final,
        }
    }
}

/// Of rows of one product from several sources, the newest of each minute, the last minute first.
pub(super) fn newest_first(mut rows: Vec<TopicRow>) -> Vec<TopicRow> {
    rows.sort_by_key(|row| std::cmp::Reverse((row.row.window, row.rank())));
    rows.dedup_by_key(|row| row.row.window);
    rows
}

#[cfg(test)]
mod tests {
    use schemas::Window;

    use super::*;

    fn count(minute: u32, is_final: bool, revision: u64, unique_user_count: u64) -> TopicRow {
        let window = Window::from_ordinal(minute);
        let row = ResultRow { product_id: "42".to_owned(), window, unique_user_count, revision };
        TopicRow { row, is_final }
    }

    #[test]
    fn of_each_minute_the_newest_row_is_kept() {
        let rows = vec![
            count(1, true, 0, 9),
            count(2, false, 0, 3),
            count(1, false, 0, 8),
            count(2, false, 0, 5),
            count(1, true, 1, 7),
        ];
        let kept = newest_first(rows);
        assert_eq!(kept, [count(2, false, 0, 5), count(1, true, 1, 7)]);
    }
}
