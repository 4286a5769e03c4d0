//! The import as a function of AWS Lambda.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use aws_client::S3EndpointArgs;
use aws_sdk_lambda::types::InvocationType;
use clap::Parser;
use lambda_runtime::{Context, Diagnostic, LambdaEvent, service_fn};
use reqwest::Url;
use secrecy::SecretString;
use serde_json::Value;
use tokio::time::Instant;
use tracing_subscriber::EnvFilter;

use crate::error::causes;
use crate::program;
use crate::settings::{ImportArgs, TimeLimit, duration};
use crate::{Continuation, Continue, Error, Gateway, Importer, Store, Summary};

/// What the function is told.
#[derive(Clone, Debug, Parser)]
#[command(name = "product-import-lambda", version, about = "Imports CSV files that are put into a bucket, as a Lambda")]
pub struct LambdaArgs {
    /// The gateway's address
    #[arg(long, env = "PRODUCT_API_URL", value_name = "URL")]
    pub product_api_url: Url,

    /// The token of role service with which products are made
    #[arg(long, env = "PRODUCT_API_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub product_api_token: Option<SecretText>,

    /// The secret of AWS Secrets Manager that has the token, where none is given
    #[arg(long, env = "PRODUCT_API_TOKEN_SECRET_ARN", value_name = "ARN")]
    pub product_api_token_secret_arn: Option<String>,

    /// How long before its time limit the function sends no more rows; unset: a fifth of the limit, and at most 20s
    #[arg(long, env = "IMPORT_STOP_MARGIN", value_name = "TIME", value_parser = duration)]
    pub import_stop_margin: Option<Duration>,

    /// How files are imported.
    #[command(flatten)]
    pub import: ImportArgs,

    /// Where S3 is.
    #[command(flatten)]
    pub s3_endpoint: S3EndpointArgs,

    /// Which log lines are written, such as `info`
    #[arg(long, env = "RUST_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,
}

/// A secret as it is given: never shown.
#[derive(Clone, Debug)]
pub struct SecretText(pub SecretString);

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        SecretText(text.into())
    }
}

/// Where the token comes from.
enum TokenSource {
    Given(SecretString),
    /// It is read anew for each invocation: after a change, the next attempt has the new one.
    Kept(aws_sdk_secretsmanager::Client, String),
}

/// The function between its invocations.
struct Function {
    args: LambdaArgs,
    store: Store,
    token: TokenSource,
    lambda: aws_sdk_lambda::Client,
}

/// Runs the function as a program until its environment ends.
pub fn main() -> ExitCode {
    program::run(start)
}

/// Begins to log, and returns what is to be done then.
fn start(args: LambdaArgs) -> Result<impl Future<Output = Result<bool, Error>>, Error> {
    let filter = EnvFilter::try_new(&args.log).map_err(|error| {
        Error::Settings(format!("RUST_LOG is {:?}: {error}; write a filter such as info", args.log))
    })?;
    // The environment takes both streams; metrics have standard output to themselves.
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    lines.json().flatten_event(true).with_span_list(false).init();
    Ok(async move {
        let function = Function::new(args).await?;
        let handler = service_fn(|event: LambdaEvent<Value>| function.handle(event));
        let ended = lambda_runtime::run(handler).await;
        ended.map_err(|error| Error::Internal(format!("the environment of the function ended: {error}")))?;
        Ok(true)
    })
}

impl Function {
    async fn new(args: LambdaArgs) -> Result<Self, Error> {
        let settings = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
        let given = args.product_api_token.clone().filter(SecretText::is_given);
        let arn = args.product_api_token_secret_arn.clone().filter(|arn| !arn.is_empty());
        let token = match (given, arn) {
            (Some(token), _) => TokenSource::Given(token.0),
            (None, Some(arn)) => TokenSource::Kept(aws_sdk_secretsmanager::Client::new(&settings), arn),
            (None, None) => {
                let what = "there is no token for the gateway; set PRODUCT_API_TOKEN or PRODUCT_API_TOKEN_SECRET_ARN";
                return Err(Error::Settings(what.to_owned()));
            }
        };
        let store = Store::new(&args.s3_endpoint).await;
        Ok(Function { args, store, token, lambda: aws_sdk_lambda::Client::new(&settings) })
    }

    async fn handle(&self, event: LambdaEvent<Value>) -> Result<(), Diagnostic> {
        let (began, mut summary) = (Instant::now(), Summary::default());
        let result = self.import(event, &mut summary).await;
        // Standard output is the log, which outlives every reader of it.
        drop(writeln!(std::io::stdout(), "{}", summary.metrics(began.elapsed(), result.is_err())));
        result.map_err(|error| Diagnostic { error_type: error.kind().to_owned(), error_message: error.to_string() })
    }

    async fn import(&self, event: LambdaEvent<Value>, summary: &mut Summary) -> Result<(), Error> {
        let limit = TimeLimit::before(end_of(&event.context), self.args.import_stop_margin);
        let token = self.token.read().await?;
        // A gateway that does not answer is waited for until the time is over, and then by the next invocation.
        let gateway = Gateway::new(&self.args.product_api_url, &token, None)?;
        let importer = Importer { store: self.store.clone(), gateway, args: self.args.import.clone() };
        let itself = Itself { lambda: &self.lambda, arn: &event.context.invoked_function_arn };
        importer.handle(event.payload, Some(limit), &itself, summary).await
    }
}

/// When the invocation has to be over.
fn end_of(context: &Context) -> Instant {
    let left = context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
    Instant::now() + left
}

impl SecretText {
    /// An empty variable is an absent one.
    fn is_given(&self) -> bool {
        use secrecy::ExposeSecret as _;
        !self.0.expose_secret().is_empty()
    }
}

impl TokenSource {
    async fn read(&self) -> Result<SecretString, Error> {
        let (client, arn) = match self {
            TokenSource::Given(token) => return Ok(token.clone()),
            TokenSource::Kept(client, arn) => (client, arn),
        };
        let answer = client.get_secret_value().secret_id(arn).send().await.map_err(|error| {
            let cause = causes(&error);
            Error::Settings(format!(
                "the secret {arn} cannot be read: {cause}; give the function's role secretsmanager:GetSecretValue"
            ))
        })?;
        let text = answer.secret_string().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| Error::Settings(format!("the secret {arn} has no text; put the token there")))?;
        Ok(text.into())
    }
}

/// The function, as it invokes itself.
struct Itself<'a> {
    lambda: &'a aws_sdk_lambda::Client,
    arn: &'a str,
}

impl Continue for Itself<'_> {
    async fn go_on(&self, continuation: &Continuation) -> Result<(), Error> {
        let payload = serde_json::to_vec(continuation)
            .map_err(|error| Error::Internal(format!("a continuation cannot be written as JSON: {error}")))?;
        let request = self.lambda.invoke().function_name(self.arn).invocation_type(InvocationType::Event);
        let answer = request.payload(payload.into()).send().await;
        answer.map(drop).map_err(|error| {
            let cause = causes(&error);
            let arn = self.arn;
            Error::Settings(format!(
                "{arn} cannot invoke itself: {cause}; give its role lambda:InvokeFunction for itself"
            ))
        })
    }
}
