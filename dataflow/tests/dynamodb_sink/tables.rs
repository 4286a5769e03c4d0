//! The tables: there, of our keys, created when asked.

use aws_client::DynamoDbEndpointArgs;
use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use dataflow::error::Error;
use dataflow::metrics::Metrics;
use dataflow::sink::Sink;
use dataflow::sink::dynamodb::{DynamoDb, DynamoDbArgs};

use crate::dynamo::Dynamo;
use crate::{CONTROL_TABLE, Sinks, TABLE, job, row};

#[test]
fn a_missing_table_is_an_error_with_both_remedies_and_is_created_when_asked() {
    let dynamo = Dynamo::start();
    let error = dynamo.connect_at(dynamo.address, false).unwrap_err();
    let Error::Usage(text) = &error else { panic!("{error:?}") };
    assert!(
        text.starts_with("DynamoDB table ecom-analytics does not exist; create it with --create-table or"),
        "{text}"
    );
    assert!(text.contains("aws dynamodb create-table --table-name ecom-analytics"), "{text}");

    for _ in 0..2 {
        assert!(dynamo.connect_at(dynamo.address, true).is_ok());
    }
    let table =
        dynamo.runtime.block_on(dynamo.client().describe_table().table_name(TABLE).send()).unwrap().table.unwrap();
    let keys: Vec<_> = table.key_schema().iter().map(|key| (key.attribute_name(), key.key_type().as_str())).collect();
    assert_eq!(keys, [("product_id", "HASH"), ("window_start", "RANGE")]);
    assert_eq!(table.billing_mode_summary().and_then(|mode| mode.billing_mode()), Some(&BillingMode::PayPerRequest));
}

#[test]
fn a_table_that_disappears_is_an_error_too() {
    let dynamo = Dynamo::start();
    let mut sink = dynamo.sink(job(1));
    dynamo.runtime.block_on(dynamo.client().delete_table().table_name(TABLE).send()).unwrap();
    assert!(matches!(sink.write_rows(&[row("42", 1, 0)]), Err(Error::Usage(text)) if text.contains("--create-table")));
}

#[test]
fn a_table_with_other_keys_is_refused() {
    let dynamo = Dynamo::start();
    let request = dynamo
        .client()
        .create_table()
        .table_name(TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(
            AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::N).build().unwrap(),
        )
        .key_schema(KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build().unwrap());
    dynamo.runtime.block_on(request.send()).unwrap();
    let error = dynamo.connect_at(dynamo.address, true).unwrap_err();
    assert!(
        matches!(&error, Error::Usage(text) if text.contains("has the keys id HASH, not product_id HASH")),
        "{error}"
    );
}

#[test]
fn a_name_that_no_table_can_have_is_refused() {
    let dynamo = Dynamo::start();
    for table in ["", "a b"] {
        let args = DynamoDbArgs {
            table: table.to_owned(),
            in_flight: 8,
            create_table: true,
            endpoint: DynamoDbEndpointArgs::default(),
        };
        let (metrics, runtime) = (Metrics::default().sink("dynamodb"), dynamo.runtime.handle().clone());
        let error = DynamoDb::connect_with(&dynamo.settings(dynamo.address), &args, metrics, runtime).unwrap_err();
        assert!(matches!(&error, Error::Usage(text) if text.contains("DYNAMODB_TABLE")), "{error}");
    }
}

#[test]
fn the_flags_of_both_destinations_fit_into_one_command() {
    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        kafka: dataflow::kafka::KafkaArgs,
        #[command(flatten)]
        dynamodb: DynamoDbArgs,
    }
    <Cli as clap::CommandFactory>::command().debug_assert();
    let parse = |flags: &[&str]| <Cli as clap::Parser>::try_parse_from([&["x"], flags].concat());
    let cli = parse(&["--dynamodb-table=t", "--dynamodb-in-flight=9", "--create-table"]).unwrap();
    assert_eq!((cli.dynamodb.table.as_str(), cli.dynamodb.in_flight, cli.dynamodb.create_table), ("t", 9, true));
    assert!(cli.kafka.properties.is_empty());
    assert!(parse(&["--dynamodb-in-flight=0"]).is_err());
}

#[test]
fn the_control_table_is_created_with_the_other_and_is_needed_by_a_job_alone() {
    let dynamo = Dynamo::start();
    dynamo.connect();
    let request = dynamo.client().describe_table().table_name(CONTROL_TABLE).send();
    let table = dynamo.runtime.block_on(request).unwrap().table.unwrap();
    let keys: Vec<_> = table.key_schema().iter().map(|key| (key.attribute_name(), key.key_type().as_str())).collect();
    assert_eq!(keys, [("key", "HASH")]);

    dynamo.runtime.block_on(dynamo.client().delete_table().table_name(CONTROL_TABLE).send()).unwrap();
    let (connected, _) = dynamo.connect_at(dynamo.address, false).unwrap();
    let error = connected.control().unwrap_err();
    assert_eq!(
        error,
        Error::Usage(
            "DynamoDB table ecom-analytics-control does not exist; create it with --create-table or with `aws dynamodb \
             create-table --table-name ecom-analytics-control --billing-mode PAY_PER_REQUEST --attribute-definitions \
             AttributeName=key,AttributeType=S --key-schema AttributeName=key,KeyType=HASH`"
                .to_owned()
        )
    );
    connected.into_sink(crate::REPLAY).write_rows(&[row("42", 1, 0)]).unwrap();
}
