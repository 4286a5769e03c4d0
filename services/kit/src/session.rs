//! Login sessions in DynamoDB: found by the token's hash, so that the table lets nobody log in.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_client::DynamoDbEndpointArgs;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use clap::Args;
use schemas::names::{SESSIONS_TABLE, session};

use crate::auth::{Caller, Role, SessionId};
use crate::{Error, Id, Problem, causes};

/// The name of the store in problems.
const NAME: &str = "the store of sessions";

/// Where sessions are.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "DynamoDB")]
pub struct DynamoDbArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "its docstring would be the help of its flag")]
    pub endpoint: DynamoDbEndpointArgs,

    /// What the names of tables begin with, apart from the analytics table's
    #[arg(long, env = "DYNAMODB_TABLE_PREFIX", value_name = "PREFIX", default_value = "")]
    pub dynamodb_table_prefix: String,
}

/// A client of DynamoDB with time limits for requests that somebody waits for.
pub async fn client(args: &DynamoDbArgs) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_secs(2))
        .operation_timeout(Duration::from_secs(4))
        .build();
    let retries = RetryConfig::standard().with_max_attempts(3);
    let settings = args.endpoint.loader().timeout_config(timeouts).retry_config(retries);
    Client::new(&settings.load().await)
}

/// The table of sessions.
#[derive(Clone, Debug)]
pub struct Sessions {
    client: Client,
    table: String,
}

impl Sessions {
    /// The table that the settings name.
    #[must_use]
    pub fn new(client: Client, args: &DynamoDbArgs) -> Self {
        Sessions { client, table: format!("{}{SESSIONS_TABLE}", args.dynamodb_table_prefix) }
    }

    /// Whose session the token is, as of now: a session that was ended is none.
    ///
    /// # Errors
    /// 503 where DynamoDB does not answer.
    pub async fn find(&self, token: &str) -> Result<Option<Caller>, Problem> {
        let id = SessionId::of_token(token);
        let request =
            self.client.get_item().table_name(&self.table).key(session::TOKEN_HASH, key(&id)).consistent_read(true);
        let found = request.send().await.map_err(|error| unavailable(&error))?;
        let Some(item) = found.item else { return Ok(None) };
        let Some((caller, expires_at)) = read(&item) else {
            return Err(Problem::internal(format_args!("the table {} holds an item that is no session", self.table)));
        };
        // DynamoDB deletes expired items within days, not at once.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(Problem::internal)?.as_secs();
        Ok((expires_at > now).then_some(Caller { session: Some(id), ..caller }))
    }

    /// Begins a session, or goes on with the one of this token.
    ///
    /// # Errors
    /// 503 where DynamoDB does not answer.
    pub async fn put(&self, token: &str, caller: &Caller, lifetime: Duration) -> Result<(), Problem> {
        let expires_at =
            (SystemTime::now() + lifetime).duration_since(UNIX_EPOCH).map_err(Problem::internal)?.as_secs();
        let role = serde_json::to_value(caller.role).map_err(Problem::internal)?;
        let mut request = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(session::TOKEN_HASH, key(&SessionId::of_token(token)))
            .item(session::PRINCIPAL, AttributeValue::S(caller.principal.clone()))
            .item(session::ROLE, AttributeValue::S(role.as_str().unwrap_or_default().to_owned()))
            .item(session::EXPIRES_AT, AttributeValue::N(expires_at.to_string()));
        if let Some(id) = caller.customer_id {
            request = request.item(session::CUSTOMER_ID, AttributeValue::S(id.to_string()));
        }
        request.send().await.map(drop).map_err(|error| unavailable(&error))
    }

    /// Ends a session, which may have ended before: its token is worth nothing from now on.
    ///
    /// # Errors
    /// 503 where DynamoDB does not answer.
    pub async fn end(&self, id: &SessionId) -> Result<(), Problem> {
        let request = self.client.delete_item().table_name(&self.table).key(session::TOKEN_HASH, key(id));
        request.send().await.map(drop).map_err(|error| unavailable(&error))
    }

    /// Makes the table where it is not there. For local use: in production it is part of the infrastructure.
    ///
    /// # Errors
    /// Where DynamoDB does not answer or refuses.
    pub async fn create_table(&self) -> Result<(), Error> {
        let failed = |error: &dyn std::error::Error| {
            Error::Failed(format!("cannot create the table {}: {}", self.table, causes(error)))
        };
        let key = KeySchemaElement::builder().attribute_name(session::TOKEN_HASH).key_type(KeyType::Hash).build();
        let attribute = AttributeDefinition::builder()
            .attribute_name(session::TOKEN_HASH)
            .attribute_type(ScalarAttributeType::S)
            .build();
        let result = self
            .client
            .create_table()
            .table_name(&self.table)
            .billing_mode(BillingMode::PayPerRequest)
            .key_schema(key.map_err(|error| failed(&error))?)
            .attribute_definitions(attribute.map_err(|error| failed(&error))?)
            .send()
            .await;
        match result {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error)) if error.err().is_resource_in_use_exception() => Ok(()),
            Err(error) => Err(failed(&error)),
        }
    }
}

fn key(id: &SessionId) -> AttributeValue {
    AttributeValue::S(id.as_str().to_owned())
}

fn read(item: &HashMap<String, AttributeValue>) -> Option<(Caller, u64)> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    let role: Role = serde_json::from_value(text(session::ROLE)?.as_str().into()).ok()?;
    let customer_id = match text(session::CUSTOMER_ID) {
        Some(id) => Some(id.parse::<Id>().ok()?),
        None => None,
    };
    let expires_at = item.get(session::EXPIRES_AT)?.as_n().ok()?.parse().ok()?;
    Some((Caller { customer_id, ..Caller::new(text(session::PRINCIPAL)?, role) }, expires_at))
}

fn unavailable<E: std::error::Error + 'static>(error: &E) -> Problem {
    Problem::unavailable(NAME, causes(error))
}
