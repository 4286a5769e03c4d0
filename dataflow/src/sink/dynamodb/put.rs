//! One item: what it holds, the condition under which it is written, and what a refusal means.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use schemas::ResultRow;
use schemas::names::attribute;

use super::WriteMode;
use super::retry::{Failure, Retry};
use super::table::refused;
use crate::error::Error;

/// A final row of a job: over nothing, over an earlier epoch, over a live row, over a revision that is not newer.
const JOB_CONDITION: &str =
    "attribute_not_exists(#product) OR #epoch < :e OR (#epoch = :e AND (#final = :false OR #revision <= :r))";
/// A row of a replay: over nothing, over another replay.
const REPLAY_CONDITION: &str = "attribute_not_exists(#product) OR #epoch = :zero";
/// The epoch of rows that no job wrote.
const REPLAY_EPOCH: u64 = 0;

type Item = HashMap<String, AttributeValue>;

/// Writes single rows; shared by the tasks that do.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) client: Client,
    pub(super) table: String,
    pub(super) mode: WriteMode,
    pub(super) retry: Retry,
}

impl Writer {
    /// Returns when the table holds the row or a newer one.
    pub(super) async fn put(&self, row: &ResultRow) -> Result<(), Error> {
        let request = self.request(row);
        match self.retry.call(|| request.clone().send()).await {
            Ok(_) => Ok(()),
            Err(Failure::GaveUp(error)) => Err(error),
            Err(Failure::Permanent(error)) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refusal)) => self.judge(row, refusal.item()),
                _ => Err(refused(&error, "PutItem", &self.table, &self.retry)),
            },
        }
    }

    fn request(&self, row: &ResultRow) -> PutItemFluentBuilder {
        let epoch = match self.mode {
            WriteMode::Job { epoch } => epoch,
            WriteMode::Replay { .. } => REPLAY_EPOCH,
        };
        let request = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(attribute::PRODUCT_ID, AttributeValue::S(row.product_id.clone()))
            .item(attribute::WINDOW_START, AttributeValue::S(row.window.start_text()))
            .item(attribute::WINDOW_END, AttributeValue::S(row.window.end_text()))
            .item(attribute::UNIQUE_USER_COUNT, number(row.unique_user_count))
            .item(attribute::REVISION, number(row.revision))
            .item(attribute::FINAL, AttributeValue::Bool(true))
            .item(attribute::JOB_EPOCH, number(epoch));
        // `final` is a reserved word; all names are written the same way.
        let condition = match self.mode {
            WriteMode::Replay { overwrite: true } => return request,
            WriteMode::Replay { overwrite: false } => {
                request.condition_expression(REPLAY_CONDITION).expression_attribute_values(":zero", number(epoch))
            }
            WriteMode::Job { .. } => request
                .condition_expression(JOB_CONDITION)
                .expression_attribute_names("#final", attribute::FINAL)
                .expression_attribute_names("#revision", attribute::REVISION)
                .expression_attribute_values(":e", number(epoch))
                .expression_attribute_values(":false", AttributeValue::Bool(false))
                .expression_attribute_values(":r", number(row.revision)),
        };
        condition
            .expression_attribute_names("#product", attribute::PRODUCT_ID)
            .expression_attribute_names("#epoch", attribute::JOB_EPOCH)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    /// What it means that the item in the table did not let the row pass.
    fn judge(&self, row: &ResultRow, item: Option<&Item>) -> Result<(), Error> {
        let place = format!("product {:?}, window {}", row.product_id, row.window.start_text());
        let epoch = match self.mode {
            WriteMode::Job { epoch } => epoch,
            WriteMode::Replay { .. } => {
                return Err(Error::Usage(format!(
                    "table {} holds rows written by a job ({place}); pass --overwrite to replace them",
                    self.table
                )));
            }
        };
        let stored = |name| item.and_then(|item| integer(item, name));
        match stored(attribute::JOB_EPOCH) {
            Some(other) if other > epoch => Err(Error::Unavailable(format!(
                "another job with epoch {other} owns table {} (this one has epoch {epoch}); let one of the two run",
                self.table
            ))),
            Some(same) if same == epoch && stored(attribute::REVISION).is_some_and(|stored| stored > row.revision) => {
                Ok(())
            }
            _ => Err(Error::Unavailable(format!(
                "table {} holds an item that no job of ours wrote ({place}, without a {}); delete it or name another \
                 table in DYNAMODB_TABLE",
                self.table,
                attribute::JOB_EPOCH
            ))),
        }
    }
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn integer(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}
