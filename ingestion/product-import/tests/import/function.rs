//! The compiled function in a small cloud.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::gateway::{FakeGateway, TOKEN};
use crate::runtime::Cloud;
use crate::s3::FakeS3;
use crate::world::{counts, created, rows};

struct World {
    cloud: Cloud,
    s3: FakeS3,
    gateway: FakeGateway,
}

impl World {
    async fn new(time_limit: Duration) -> Self {
        let cloud = Cloud::start(time_limit, TOKEN).await;
        World { cloud, s3: FakeS3::start().await, gateway: FakeGateway::start().await }
    }

    /// The function with these variables more; the token is in the keeper of secrets.
    fn start(&self, variables: &[(&str, &str)]) -> Child {
        let (cloud, gateway) = (self.cloud.address.to_string(), self.gateway.url().to_string());
        let aws = format!("http://{cloud}");
        Command::new(env!("CARGO_BIN_EXE_product-import-lambda"))
            .env_clear()
            .envs([
                ("AWS_LAMBDA_RUNTIME_API", cloud.as_str()),
                ("AWS_LAMBDA_FUNCTION_NAME", "product-import"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
                ("AWS_REGION", "eu-central-1"),
                ("AWS_ACCESS_KEY_ID", "footfall"),
                ("AWS_SECRET_ACCESS_KEY", "footfall"),
                ("AWS_ENDPOINT_URL_LAMBDA", &aws),
                ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &aws),
                ("AWS_ENDPOINT_URL_S3", &self.s3.url()),
                ("PRODUCT_API_URL", &gateway),
                ("PRODUCT_API_TOKEN_SECRET_ARN", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:token"),
            ])
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }
}

/// Ends it as the cloud does: without a word. Returns what it had written to standard output and standard error.
async fn kill(mut function: Child) -> (String, String) {
    function.start_kill().unwrap();
    let output = function.wait_with_output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn an_event_is_imported_measured_and_answered() {
    let world = World::new(Duration::from_secs(60)).await;
    world.s3.put("a.csv", format!("{}Chair,,\n", rows(10))).await;
    let function = world.start(&[]);
    world.cloud.invoke(created(&["a.csv"]));
    assert_eq!(world.cloud.ended(1).await, [(1, Ok(Value::Null))]);
    let (said, logged) = kill(function).await;
    assert_eq!(counts(&world.s3.report("a.csv").await), [11, 10, 0, 1]);
    let [line] = said.lines().collect::<Vec<_>>().try_into().unwrap();
    let metrics: Value = serde_json::from_str(line).unwrap();
    assert_eq!(metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"], "Footfall/ProductImport");
    assert_eq!(
        (&metrics["RowsCreated"], &metrics["RowsFailed"], &metrics["FilesFinished"]),
        (&json!(10), &json!(1), &json!(1))
    );
    for line in logged.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    assert!(!said.contains(TOKEN) && !logged.contains(TOKEN));
}

#[tokio::test]
async fn a_function_whose_time_is_over_invokes_itself_until_the_file_is_done() {
    let world = World::new(Duration::from_millis(1_500)).await;
    world.gateway.delay(Duration::from_millis(20));
    world.s3.put("a.csv", rows(300)).await;
    let function = world.start(&[("IMPORT_CONCURRENCY", "2"), ("IMPORT_STOP_MARGIN", "700ms")]);
    world.cloud.invoke(created(&["a.csv"]));
    world.cloud.ended(2).await;
    world.cloud.set_time_limit(Duration::from_secs(60));
    world.gateway.delay(Duration::ZERO);
    // One more than it has invoked itself, in whatever order that is seen.
    let mut ends = 2;
    while world.s3.report("a.csv").await["status"] == "running" {
        ends += 1;
        world.cloud.ended(ends).await;
    }
    drop(kill(function).await);
    let hops: Vec<_> = world.cloud.invoked_itself().iter().map(|event| event["hop"].as_u64().unwrap()).collect();
    assert!(hops.len() >= 2 && hops == (1..=hops.len() as u64).collect::<Vec<_>>(), "{hops:?}");
    assert_eq!(counts(&world.s3.report("a.csv").await), [300, 300, 0, 0]);
    assert_eq!(world.gateway.made().len(), 300);
}

#[tokio::test]
async fn an_event_that_comes_again_after_a_kill_makes_each_row_once() {
    let world = World::new(Duration::from_secs(60)).await;
    world.gateway.delay(Duration::from_millis(5));
    world.s3.put("a.csv", format!("{}Chair,,\n", rows(200))).await;
    for requests in [1, 60, 150] {
        let function = world.start(&[("IMPORT_CONCURRENCY", "4")]);
        let before = world.gateway.requests();
        world.cloud.invoke(created(&["a.csv"]));
        world.gateway.wait_for_requests(before + requests).await;
        drop(kill(function).await);
    }
    let function = world.start(&[]);
    world.cloud.invoke(created(&["a.csv"]));
    world.cloud.ended(1).await;
    drop(kill(function).await);
    let [read, created, unchanged, failed] = counts(&world.s3.report("a.csv").await);
    assert_eq!((read, created + unchanged, failed), (201, 200, 1));
    assert!(unchanged >= 60, "{unchanged}");
    assert_eq!(world.gateway.made().len(), 200);
    assert!(world.s3.errors("a.csv").await.contains("\r\n202,required,"));
}

#[tokio::test]
async fn an_import_that_cannot_go_on_is_an_error_of_the_invocation_that_names_the_remedy() {
    let world = World::new(Duration::from_secs(60)).await;
    world.s3.put("a.csv", rows(3)).await;
    let function = world.start(&[("PRODUCT_API_TOKEN", "another-token")]);
    world.cloud.invoke(created(&["a.csv"]));
    let [(_, outcome)] = world.cloud.ended(1).await.try_into().unwrap();
    let (said, logged) = kill(function).await;
    let error = outcome.unwrap_err();
    assert!(error["errorMessage"].as_str().unwrap().contains("PRODUCT_API_TOKEN"), "{error}");
    assert!(said.contains(r#""InvocationsFailed":1"#), "{said}");
    assert!(!said.contains("another-token") && !logged.contains("another-token"));
}

#[tokio::test]
async fn a_function_without_a_token_does_not_start() {
    let world = World::new(Duration::from_secs(60)).await;
    let function = world.start(&[("PRODUCT_API_TOKEN_SECRET_ARN", "")]);
    let output = function.wait_with_output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains("PRODUCT_API_TOKEN_SECRET_ARN"), "{said}");
}
