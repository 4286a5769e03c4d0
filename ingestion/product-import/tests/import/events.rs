//! Events of S3, and objects that are not as they say.

use std::time::Duration;

use hyper::Method;
use product_import::Error;
use serde_json::json;

use crate::s3::Trick;
use crate::world::{World, counts, created, rows, within};

#[tokio::test]
async fn an_event_may_have_several_records_with_encoded_keys() {
    let world = World::new().await;
    for key in ["new/Käse + Brot.csv", "b c.csv"] {
        world.s3.put(key, rows(3)).await;
    }
    let (summary, result) = world.deliver(created(&["new/K%C3%A4se+%2B+Brot.csv", "b+c.csv"]), None).await;
    result.unwrap();
    assert_eq!((summary.finished, summary.rows.created), (2, 6));
    assert_eq!(counts(&world.s3.report("new/Käse + Brot.csv").await), [3, 3, 0, 0]);
    assert_eq!(counts(&world.s3.report("b c.csv").await), [3, 3, 0, 0]);
}

#[tokio::test]
async fn an_object_that_may_not_be_read_is_an_error_and_keeps_no_other_one_out() {
    let world = World::new().await;
    for key in ["a.csv", "secret.csv", "z.csv"] {
        world.s3.put(key, rows(3)).await;
    }
    world.s3.trick(|method, path| (method == Method::GET && path == "/imports/secret.csv").then_some(Trick::Deny));
    let (summary, result) = world.deliver(created(&["a.csv", "secret.csv", "z.csv"]), None).await;
    let error = result.unwrap_err();
    assert!(matches!(error, Error::AccessDenied { .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.contains("s3://imports/secret.csv") && message.contains("s3:GetObject"), "{message}");
    assert_eq!(summary.finished, 2);
    assert_eq!(counts(&world.s3.report("z.csv").await), [3, 3, 0, 0]);
}

#[tokio::test]
async fn an_output_that_may_not_be_written_is_an_error_that_names_the_permission() {
    let world = World::new().await;
    world.s3.put("a.csv", rows(3)).await;
    world.s3.trick(|method, _| (method == Method::PUT).then_some(Trick::Deny));
    let (_, result) = world.deliver(created(&["a.csv"]), None).await;
    let message = result.unwrap_err().to_string();
    assert!(message.contains("s3://imports/a.csv.report.json") && message.contains("s3:PutObject"), "{message}");
}

#[tokio::test]
async fn an_object_that_was_deleted_meanwhile_is_nothing_to_import() {
    let world = World::new().await;
    let (summary, result) = world.deliver(created(&["gone.csv"]), None).await;
    result.unwrap();
    assert_eq!(summary.gone, 1);
    assert_eq!(world.s3.find("gone.csv.report.json").await, None);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_an_error() {
    let world = World::new().await;
    world.s3.trick(|method, _| (method == Method::GET).then_some(Trick::NoBucket));
    let (_, result) = world.deliver(created(&["a.csv"]), None).await;
    assert!(matches!(result, Err(Error::Store { .. })), "{result:?}");
}

#[tokio::test]
async fn the_version_of_the_event_is_read_also_by_continuations() {
    let world = World::new().await;
    world.s3.put("a.csv", rows(100)).await;
    world.s3.trick(|method, path| (method == Method::GET && path == "/imports/a.csv").then_some(Trick::Version("v1")));
    world.gateway.delay(Duration::from_millis(5));
    let mut event = created(&["a.csv"]);
    event["Records"][0]["s3"]["object"]["versionId"] = json!("v1");
    let (summary, result) = world.deliver(event, within(Duration::from_millis(30))).await;
    result.unwrap();
    assert_eq!(summary.continued, 1);
    let [continuation] = world.queue.take().try_into().unwrap();
    assert_eq!(continuation["version"], "v1");
    world.deliver(continuation, None).await.1.unwrap();
    let report = world.s3.report("a.csv").await;
    assert_eq!((report["version"].as_str(), counts(&report)[0]), (Some("v1"), 100));
    let reads = world.s3.requests(&Method::GET);
    let reads: Vec<_> = reads.iter().filter(|path| path.starts_with("/imports/a.csv?")).collect();
    assert!(reads.len() == 2 && reads.iter().all(|path| path.contains("versionId=v1")), "{reads:?}");
}

#[tokio::test]
async fn an_object_that_was_replaced_meanwhile_is_left_to_the_event_of_the_new_one() {
    let world = World::new().await;
    world.s3.put("a.csv", rows(100)).await;
    world.gateway.delay(Duration::from_millis(5));
    world.deliver(created(&["a.csv"]), within(Duration::from_millis(30))).await.1.unwrap();
    let [continuation] = world.queue.take().try_into().unwrap();
    world.gateway.delay(Duration::ZERO);
    let report = world.import_file("a.csv", "name,price\nOther,1\n").await;
    let requests = world.gateway.requests();
    let (summary, result) = world.deliver(continuation, None).await;
    result.unwrap();
    assert_eq!((summary.gone, world.gateway.requests()), (1, requests));
    assert_eq!(world.s3.report("a.csv").await, report);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_read_on_where_it_broke_off() {
    let world = World::new().await;
    let text = rows(5_000);
    let middle = text.len() / 2;
    world.s3.put("a.csv", text).await;
    world.s3.trick(move |method, path| {
        (method == Method::GET && path == "/imports/a.csv").then_some(Trick::CutAfter(middle))
    });
    let report = world.import("a.csv").await;
    assert_eq!(counts(&report), [5_000, 5_000, 0, 0]);
    assert_eq!(world.gateway.made().len(), 5_000);
}

#[tokio::test]
async fn what_is_no_event_is_an_error() {
    let world = World::new().await;
    for event in [json!({}), json!({"Records": 1}), json!({"bucket": "imports"})] {
        let (_, result) = world.deliver(event, None).await;
        assert!(matches!(result, Err(Error::Event(_))), "{result:?}");
    }
    let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "imports"});
    world.deliver(test, None).await.1.unwrap();
}
