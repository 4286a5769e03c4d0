//! Counts of all times, from the table that the job writes.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use schemas::names::attribute;
use schemas::{ResultRow, TopicRow, Window};
use service_kit::{Problem, causes};

/// The name of the store in problems.
pub(super) const NAME: &str = "the store of counts";

/// The table of counts.
#[derive(Clone, Debug)]
pub(super) struct History {
    client: Client,
    table: String,
}

impl History {
    pub(super) fn new(client: Client, table: &str) -> Self {
        History { client, table: table.to_owned() }
    }

    /// A product's counts from `first` to `last`, the newest `limit` of them, the last minute first.
    pub(super) async fn newest(
        &self,
        product_id: &str,
        first: Window,
        last: Window,
        limit: usize,
    ) -> Result<Vec<TopicRow>, Problem> {
        let (mut rows, mut start) = (Vec::new(), None);
        loop {
            let wanted = i32::try_from(limit - rows.len()).map_err(Problem::internal)?;
            let page = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("#p = :p AND #w BETWEEN :first AND :last")
                .expression_attribute_names("#p", attribute::PRODUCT_ID)
                .expression_attribute_names("#w", attribute::WINDOW_START)
                .expression_attribute_values(":p", AttributeValue::S(product_id.to_owned()))
                .expression_attribute_values(":first", AttributeValue::S(first.start_text()))
                .expression_attribute_values(":last", AttributeValue::S(last.start_text()))
                .scan_index_forward(false)
                .limit(wanted)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| Problem::unavailable(NAME, causes(&error)))?;
            for item in page.items() {
                let row = row(item).ok_or_else(|| {
                    Problem::internal(format_args!("the table {} holds an item that is no count", self.table))
                })?;
                rows.push(row);
            }
            start = page.last_evaluated_key;
            if start.is_none() || rows.len() >= limit {
                return Ok(rows);
            }
        }
    }
}

fn row(item: &HashMap<String, AttributeValue>) -> Option<TopicRow> {
    let text = |name: &str| item.get(name)?.as_s().ok();
    let number = |name: &str| item.get(name)?.as_n().ok()?.parse().ok();
    let row = ResultRow {
        product_id: text(attribute::PRODUCT_ID)?.clone(),
        window: Window::from_start_text(text(attribute::WINDOW_START)?).ok()?,
        unique_user_count: number(attribute::UNIQUE_USER_COUNT)?,
        revision: number(attribute::REVISION)?,
    };
    Some(TopicRow { row, is_final: *item.get(attribute::FINAL)?.as_bool().ok()? })
}
