//! The table: is it there, has it the right keys, can it be used.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::describe_table::DescribeTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableDescription, TableStatus,
};
use schemas::names::attribute;

use super::retry::{Failure, Retry, reason};
use crate::error::Error;

/// How long a table may take to become usable.
const ACTIVE_WITHIN: Duration = Duration::from_secs(120);
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// The keys: name and role, both strings.
const KEYS: [(&str, KeyType); 2] = [(attribute::PRODUCT_ID, KeyType::Hash), (attribute::WINDOW_START, KeyType::Range)];

/// Returns when the table exists with our keys and can be used; creates it where that is asked for.
pub(super) async fn prepare(client: &Client, name: &str, create_it: bool, retry: &Retry) -> Result<(), Error> {
    let deadline = Instant::now() + ACTIVE_WITHIN;
    let mut created = false;
    loop {
        retry.begin();
        match describe(client, name, retry).await? {
            None if !create_it => return Err(missing(name)),
            None if !created => {
                create(client, name, retry).await?;
                created = true;
            }
            // Created, and not to be seen everywhere yet.
            None => {}
            Some(table) => {
                check_keys(name, &table)?;
                match table.table_status() {
                    Some(TableStatus::Active | TableStatus::Updating) => return Ok(()),
                    Some(TableStatus::Creating) => {}
                    Some(other) => {
                        return Err(Error::Unavailable(format!(
                            "DynamoDB table {name} is {other}; wait until it is ACTIVE, or name another one in \
                             DYNAMODB_TABLE"
                        )));
                    }
                    None => {}
                }
            }
        }
        if Instant::now() >= deadline {
            return Err(Error::Unavailable(format!(
                "DynamoDB table {name} is not ACTIVE after {} s; look at it in the console",
                ACTIVE_WITHIN.as_secs()
            )));
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

async fn describe(client: &Client, name: &str, retry: &Retry) -> Result<Option<TableDescription>, Error> {
    match retry.call(|| client.describe_table().table_name(name).send()).await {
        Ok(answer) => Ok(answer.table),
        Err(Failure::GaveUp(error)) => Err(error),
        Err(Failure::Permanent(error)) => match error.as_service_error() {
            Some(DescribeTableError::ResourceNotFoundException(_)) => Ok(None),
            _ => Err(refused(&error, "DescribeTable", name, retry)),
        },
    }
}

async fn create(client: &Client, name: &str, retry: &Retry) -> Result<(), Error> {
    let broken = |error| Error::Internal(format!("the request to create table {name} is incomplete: {error}"));
    let mut request = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for (key, role) in KEYS {
        let definition = AttributeDefinition::builder().attribute_name(key).attribute_type(ScalarAttributeType::S);
        let element = KeySchemaElement::builder().attribute_name(key).key_type(role);
        request = request
            .attribute_definitions(definition.build().map_err(broken)?)
            .key_schema(element.build().map_err(broken)?);
    }
    match retry.call(|| request.clone().send()).await {
        Ok(_) => Ok(()),
        Err(Failure::GaveUp(error)) => Err(error),
        // Somebody else is creating it, or our first request was the one that did.
        Err(Failure::Permanent(error)) if error.code() == Some("ResourceInUseException") => Ok(()),
        Err(Failure::Permanent(error)) => Err(refused(&error, "CreateTable", name, retry)),
    }
}

fn check_keys(name: &str, table: &TableDescription) -> Result<(), Error> {
    let has = |(key, role): &(&str, KeyType)| {
        table.key_schema().iter().any(|element| element.attribute_name() == *key && element.key_type() == role)
            && table.attribute_definitions().iter().any(|definition| {
                definition.attribute_name() == *key && definition.attribute_type() == &ScalarAttributeType::S
            })
    };
    if table.key_schema().len() == KEYS.len() && KEYS.iter().all(has) {
        return Ok(());
    }
    let found: Vec<_> = table
        .key_schema()
        .iter()
        .map(|element| format!("{} {}", element.attribute_name(), element.key_type()))
        .collect();
    Err(Error::Usage(format!(
        "DynamoDB table {name} has the keys {}, not product_id HASH and window_start RANGE, both strings; name another \
         table in DYNAMODB_TABLE",
        found.join(", ")
    )))
}

/// The sentence for a table that does not exist.
pub(super) fn missing(name: &str) -> Error {
    Error::Usage(format!(
        "DynamoDB table {name} does not exist; create it with --create-table or with `aws dynamodb create-table \
         --table-name {name} --billing-mode PAY_PER_REQUEST --attribute-definitions \
         AttributeName=product_id,AttributeType=S AttributeName=window_start,AttributeType=S --key-schema \
         AttributeName=product_id,KeyType=HASH AttributeName=window_start,KeyType=RANGE`"
    ))
}

/// The sentence for an answer that will not change.
pub(super) fn refused<E>(error: &SdkError<E>, action: &str, table: &str, retry: &Retry) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let endpoint = retry.endpoint();
    let reason = reason(error);
    let Some(code) = error.code() else {
        return Error::Unavailable(format!(
            "cannot send {action} for table {table} to DynamoDB at {endpoint}: {reason}; check the AWS credentials and \
             AWS_REGION"
        ));
    };
    match code {
        "ResourceNotFoundException" => missing(table),
        "AccessDeniedException" => Error::Unavailable(format!(
            "DynamoDB at {endpoint} denies {action} on table {table}: {reason}; grant dynamodb:{action} on the table"
        )),
        "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "IncompleteSignatureException"
        | "IncompleteSignature"
        | "InvalidClientTokenId"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException" => Error::Unavailable(format!(
            "DynamoDB at {endpoint} does not accept the AWS credentials: {reason}; check AWS_ACCESS_KEY_ID, \
             AWS_SECRET_ACCESS_KEY, AWS_REGION and the clock"
        )),
        "ValidationException" if action == "PutItem" => Error::Io(format!(
            "DynamoDB at {endpoint} finds {action} for table {table} invalid: {reason}; check the table's definition"
        )),
        "ValidationException" => Error::Usage(format!(
            "DynamoDB at {endpoint} does not accept the table {table:?}: {reason}; correct DYNAMODB_TABLE"
        )),
        _ => Error::Unavailable(format!(
            "DynamoDB at {endpoint} refuses {action} on table {table}: {reason}; check the table"
        )),
    }
}
