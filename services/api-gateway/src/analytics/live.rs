//! A product's counts of right now: the running minute's, and those of the last minute that is over.

use schemas::{TopicRow, Window};
use serde::Serialize;
use service_kit::Problem;

use super::Analytics;
use super::freshness::Freshness;
use super::row::{WindowCount, newest_first};

/// What is known of a product's last half hour.
#[derive(Debug, Serialize)]
pub(crate) struct Live {
    /// The running minute's count; `null` while nobody has looked in it.
    open: Option<WindowCount>,
    /// The count of the last minute that is over and had views; `null` where none of the last half hour had.
    closed: Option<WindowCount>,
    freshness: Freshness,
}

impl Analytics {
    /// A product's counts of right now.
    ///
    /// # Errors
    /// 503 where the results topic is not read, or DynamoDB does not answer.
    pub(crate) async fn live(&self, product_id: &str) -> Result<Live, Problem> {
        self.recent.check_live()?;
        let rows = self.recent.rows(product_id, Window::from_ordinal(0), Window::from_ordinal(u32::MAX));
        let freshness = self.status.freshness().await?;
        let (open, closed) = open_and_closed(rows);
        Ok(Live { open: open.map(WindowCount::from), closed: closed.map(WindowCount::from), freshness })
    }
}

/// The last minute's row where it is not final, and the last final one.
fn open_and_closed(rows: Vec<TopicRow>) -> (Option<TopicRow>, Option<TopicRow>) {
    let rows = newest_first(rows);
    let open = rows.first().filter(|row| !row.is_final).cloned();
    (open, rows.into_iter().find(|row| row.is_final))
}

#[cfg(test)]
mod tests {
    use schemas::ResultRow;

    use super::*;

    fn row(minute: u32, is_final: bool) -> TopicRow {
        let window = Window::from_ordinal(minute);
        let row = ResultRow { product_id: "42".to_owned(), window, unique_user_count: 1, revision: 0 };
        TopicRow { row, is_final }
    }

    #[test]
    fn the_running_minute_is_the_last_one_that_is_not_over() {
        let rows = vec![row(1, true), row(3, true), row(4, false)];
        assert_eq!(open_and_closed(rows), (Some(row(4, false)), Some(row(3, true))));
    }

    #[test]
    fn a_quiet_product_has_no_running_minute() {
        assert_eq!(open_and_closed(vec![row(3, true), row(1, true)]), (None, Some(row(3, true))));
        assert_eq!(open_and_closed(Vec::new()), (None, None));
    }
}
