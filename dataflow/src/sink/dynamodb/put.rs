//! One item: what it holds, the condition under which it is written, and what a refusal means.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use schemas::ResultRow;
use schemas::names::attribute;

use super::retry::{Failure, Retry};
use super::table::{Table, refused};
use super::{WriteMode, fenced};
use crate::error::Error;

/// A final row of a job: over nothing, over an earlier epoch, over a live row, over a revision that is not newer.
const JOB_CONDITION: &str =
    "attribute_not_exists(#product) OR #epoch < :e OR (#epoch = :e AND (#final = :false OR #revision <= :r))";
/// A live row: over nothing, over a smaller live count. Within an open window counts only grow.
const LIVE_CONDITION: &str = "attribute_not_exists(#product) OR (#final = :false AND #epoch <= :e AND #count < :n)";
/// A row of a replay: over nothing, over another replay.
const REPLAY_CONDITION: &str = "attribute_not_exists(#product) OR #epoch = :zero";
/// The epoch of rows that no job wrote.
const REPLAY_EPOCH: u64 = 0;

pub(super) type Item = HashMap<String, AttributeValue>;

/// Writes single rows; shared by the tasks that do.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) client: Client,
    pub(super) table: Table,
    pub(super) mode: WriteMode,
    pub(super) retry: Retry,
    pub(super) live_retry: Retry,
}

impl Writer {
    /// Writes a final row. Returns when the table holds it or a newer one.
    pub(super) async fn put(&self, row: &ResultRow) -> Result<(), Error> {
        let request = self.final_request(row);
        match self.retry.call(|| request.clone().send()).await {
            Ok(_) => Ok(()),
            Err(Failure::GaveUp(error)) => Err(error),
            Err(Failure::Permanent(error)) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refusal)) => self.judge(row, refusal.item()),
                _ => Err(refused(&error, "PutItem", &self.table, &self.retry)),
            },
        }
    }

    /// Writes a live row. Says whether the table now holds it or a better one; if not, it was given up.
    pub(super) async fn put_live(&self, row: &ResultRow) -> Result<bool, Error> {
        let request = self.live_request(row);
        match self.live_retry.call(|| request.clone().send()).await {
            Ok(_) => Ok(true),
            Err(Failure::GaveUp(_)) => Ok(false),
            Err(Failure::Permanent(error)) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refusal)) => {
                    self.check_epoch(row, refusal.item()).map(|()| true)
                }
                _ => Err(refused(&error, "PutItem", &self.table, &self.live_retry)),
            },
        }
    }

    fn epoch(&self) -> u64 {
        match self.mode {
            WriteMode::Job { epoch } => epoch,
            WriteMode::Replay { .. } => REPLAY_EPOCH,
        }
    }

    fn item(&self, row: &ResultRow, is_final: bool) -> PutItemFluentBuilder {
        self.client
            .put_item()
            .table_name(&self.table.name)
            .item(attribute::PRODUCT_ID, AttributeValue::S(row.product_id.clone()))
            .item(attribute::WINDOW_START, AttributeValue::S(row.window.start_text()))
            .item(attribute::WINDOW_END, AttributeValue::S(row.window.end_text()))
            .item(attribute::UNIQUE_USER_COUNT, number(row.unique_user_count))
            .item(attribute::REVISION, number(row.revision))
            .item(attribute::FINAL, AttributeValue::Bool(is_final))
            .item(attribute::JOB_EPOCH, number(self.epoch()))
    }

    fn final_request(&self, row: &ResultRow) -> PutItemFluentBuilder {
        let request = self.item(row, true);
        match self.mode {
            WriteMode::Replay { overwrite: true } => request,
            WriteMode::Replay { overwrite: false } => {
                under(request, REPLAY_CONDITION).expression_attribute_values(":zero", number(REPLAY_EPOCH))
            }
            WriteMode::Job { epoch } => under(request, JOB_CONDITION)
                .expression_attribute_names("#final", attribute::FINAL)
                .expression_attribute_names("#revision", attribute::REVISION)
                .expression_attribute_values(":e", number(epoch))
                .expression_attribute_values(":false", AttributeValue::Bool(false))
                .expression_attribute_values(":r", number(row.revision)),
        }
    }

    fn live_request(&self, row: &ResultRow) -> PutItemFluentBuilder {
        under(self.item(row, false).item(attribute::REVISION, number(0)), LIVE_CONDITION)
            .expression_attribute_names("#final", attribute::FINAL)
            .expression_attribute_names("#count", attribute::UNIQUE_USER_COUNT)
            .expression_attribute_values(":e", number(self.epoch()))
            .expression_attribute_values(":false", AttributeValue::Bool(false))
            .expression_attribute_values(":n", number(row.unique_user_count))
    }

    /// What it means that the item in the table did not let a final row pass.
    fn judge(&self, row: &ResultRow, item: Option<&Item>) -> Result<(), Error> {
        if let WriteMode::Replay { .. } = self.mode {
            return Err(Error::Usage(format!(
                "table {} holds rows written by a job ({}); pass --overwrite to replace them",
                self.table.name,
                place(row)
            )));
        }
        self.check_epoch(row, item)?;
        let stored = |name| item.and_then(|item| integer(item, name));
        let is_ours = stored(attribute::JOB_EPOCH) == Some(self.epoch());
        if is_ours && stored(attribute::REVISION).is_some_and(|stored| stored > row.revision) {
            return Ok(());
        }
        Err(Error::Unavailable(format!(
            "table {} holds an item that no job of ours wrote ({}, without a {}); delete it or name another table in \
             DYNAMODB_TABLE",
            self.table.name,
            place(row),
            attribute::JOB_EPOCH
        )))
    }

    /// Refuses to go on beside a job that has taken the table over.
    fn check_epoch(&self, row: &ResultRow, item: Option<&Item>) -> Result<(), Error> {
        match item.and_then(|item| integer(item, attribute::JOB_EPOCH)) {
            Some(theirs) if theirs > self.epoch() => Err(fenced(&self.table, &place(row), theirs, self.epoch())),
            _ => Ok(()),
        }
    }
}

/// The request under a condition; a refusal shows the item.
fn under(request: PutItemFluentBuilder, condition: &str) -> PutItemFluentBuilder {
    // `final` is a reserved word; all names are written the same way.
    request
        .condition_expression(condition)
        .expression_attribute_names("#product", attribute::PRODUCT_ID)
        .expression_attribute_names("#epoch", attribute::JOB_EPOCH)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
}

fn place(row: &ResultRow) -> String {
    format!("product {:?}, window {}", row.product_id, row.window.start_text())
}

pub(super) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn integer(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}
