//! The tables: is one there, has it the right keys, can it be used.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::describe_table::DescribeTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableDescription, TableStatus,
};
use schemas::names::{CONTROL_TABLE_SUFFIX, attribute, control};

use super::retry::{Failure, Retry, reason};
use crate::error::Error;

/// How long a table may take to become usable.
const ACTIVE_WITHIN: Duration = Duration::from_secs(120);
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// A key: name and role. All are strings.
type Key = (&'static str, KeyType);

static KEYS_OF_ROWS: [Key; 2] = [(attribute::PRODUCT_ID, KeyType::Hash), (attribute::WINDOW_START, KeyType::Range)];
static KEYS_OF_CONTROL: [Key; 1] = [(control::KEY, KeyType::Hash)];

/// One of our tables.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: String,
    keys: &'static [Key],
}

impl Table {
    /// The table of result rows.
    pub(super) fn of_rows(name: &str) -> Self {
        Table { name: name.to_owned(), keys: &KEYS_OF_ROWS }
    }

    /// The control table of a table of result rows.
    pub(super) fn of_control(name_of_rows: &str) -> Self {
        Table { name: format!("{name_of_rows}{CONTROL_TABLE_SUFFIX}"), keys: &KEYS_OF_CONTROL }
    }

    /// For each key some words about it.
    fn of_keys(&self, separator: &str, words: impl Fn(&Key) -> String) -> String {
        self.keys.iter().map(words).collect::<Vec<_>>().join(separator)
    }
}

/// Returns when the table exists with our keys and can be used; creates it where that is asked for.
pub(super) async fn prepare(client: &Client, wanted: &Table, create_it: bool, retry: &Retry) -> Result<(), Error> {
    let name = &wanted.name;
    let deadline = Instant::now() + ACTIVE_WITHIN;
    let mut created = false;
    loop {
        retry.begin();
        match describe(client, wanted, retry).await? {
            None if !create_it => return Err(missing(wanted)),
            None if !created => {
                create(client, wanted, retry).await?;
                created = true;
                // Local stores are ready at once.
                continue;
            }
            // Created, and not to be seen everywhere yet.
            None => {}
            Some(table) => {
                check_keys(wanted, &table)?;
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

async fn describe(client: &Client, table: &Table, retry: &Retry) -> Result<Option<TableDescription>, Error> {
    match retry.call(|| client.describe_table().table_name(&table.name).send()).await {
        Ok(answer) => Ok(answer.table),
        Err(Failure::GaveUp(error)) => Err(error),
        Err(Failure::Permanent(error)) => match error.as_service_error() {
            Some(DescribeTableError::ResourceNotFoundException(_)) => Ok(None),
            _ => Err(refused(&error, "DescribeTable", table, retry)),
        },
    }
}

async fn create(client: &Client, table: &Table, retry: &Retry) -> Result<(), Error> {
    let name = &table.name;
    let broken = |error| Error::Internal(format!("the request to create table {name} is incomplete: {error}"));
    let mut request = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for (key, role) in table.keys {
        let definition = AttributeDefinition::builder().attribute_name(*key).attribute_type(ScalarAttributeType::S);
        let element = KeySchemaElement::builder().attribute_name(*key).key_type(role.clone());
        request = request
            .attribute_definitions(definition.build().map_err(broken)?)
            .key_schema(element.build().map_err(broken)?);
    }
    match retry.call(|| request.clone().send()).await {
        Ok(_) => Ok(()),
        Err(Failure::GaveUp(error)) => Err(error),
        // Somebody else is creating it, or our first request was the one that did.
        Err(Failure::Permanent(error)) if error.code() == Some("ResourceInUseException") => Ok(()),
        Err(Failure::Permanent(error)) => Err(refused(&error, "CreateTable", table, retry)),
    }
}

fn check_keys(wanted: &Table, table: &TableDescription) -> Result<(), Error> {
    let has = |(key, role): &Key| {
        table.key_schema().iter().any(|element| element.attribute_name() == *key && element.key_type() == role)
            && table.attribute_definitions().iter().any(|definition| {
                definition.attribute_name() == *key && definition.attribute_type() == &ScalarAttributeType::S
            })
    };
    if table.key_schema().len() == wanted.keys.len() && wanted.keys.iter().all(has) {
        return Ok(());
    }
    let found: Vec<_> = table
        .key_schema()
        .iter()
        .map(|element| format!("{} {}", element.attribute_name(), element.key_type()))
        .collect();
    Err(Error::Usage(format!(
        "DynamoDB table {} has the keys {}, not {} (strings); name another table in DYNAMODB_TABLE",
        wanted.name,
        found.join(", "),
        wanted.of_keys(" and ", |(key, role)| format!("{key} {role}"))
    )))
}

/// The sentence for a table that does not exist.
pub(super) fn missing(table: &Table) -> Error {
    let name = &table.name;
    let definitions = table.of_keys(" ", |(key, _)| format!("AttributeName={key},AttributeType=S"));
    let schema = table.of_keys(" ", |(key, role)| format!("AttributeName={key},KeyType={role}"));
    Error::Usage(format!(
        "DynamoDB table {name} does not exist; create it with --create-table or with `aws dynamodb create-table \
         --table-name {name} --billing-mode PAY_PER_REQUEST --attribute-definitions {definitions} --key-schema {schema}`"
    ))
}

/// The sentence for an answer that will not change.
pub(super) fn refused<E>(error: &SdkError<E>, action: &str, table: &Table, retry: &Retry) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let (endpoint, name) = (retry.endpoint(), &table.name);
    let reason = reason(error);
    let Some(code) = error.code() else {
        return Error::Unavailable(format!(
            "cannot send {action} for table {name} to DynamoDB at {endpoint}: {reason}; check the AWS credentials and \
             AWS_REGION"
        ));
    };
    match code {
        "ResourceNotFoundException" => missing(table),
        "AccessDeniedException" => Error::Unavailable(format!(
            "DynamoDB at {endpoint} denies {action} on table {name}: {reason}; grant dynamodb:{action} on the table"
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
            "DynamoDB at {endpoint} finds {action} for table {name} invalid: {reason}; check the table's definition"
        )),
        "ValidationException" => Error::Usage(format!(
            "DynamoDB at {endpoint} does not accept the table {name:?}: {reason}; correct DYNAMODB_TABLE"
        )),
        _ => Error::Unavailable(format!(
            "DynamoDB at {endpoint} refuses {action} on table {name}: {reason}; check the table"
        )),
    }
}
