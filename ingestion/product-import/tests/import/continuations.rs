//! Files that take longer than one invocation.

use std::time::Duration;

use product_import::{Error, MAX_HOPS};
use serde_json::{Value, json};

use crate::gateway::Fault;
use crate::world::{World, counts, created, within};

/// Rows of which every third fails, and what their file of errors is without a limit.
fn mixed(count: usize) -> String {
    let row = |row| if row % 3 == 0 { format!("Row {row},\n") } else { format!("Row {row},{row}\n") };
    std::iter::once("name,price\n".to_owned()).chain((0..count).map(row)).collect()
}

async fn undisturbed(text: &str) -> String {
    let world = World::new().await;
    world.import_file("a.csv", text).await;
    world.s3.errors("a.csv").await
}

/// Handles continuations until there are none, each within so short a time; returns how many there were.
async fn go_on(world: &World, time: Duration) -> usize {
    let mut hops = 0;
    loop {
        let continuations = world.queue.take();
        if continuations.is_empty() {
            return hops;
        }
        for continuation in continuations {
            world.deliver(continuation, within(time)).await.1.unwrap();
            hops += 1;
        }
    }
}

#[tokio::test]
async fn a_long_file_is_imported_over_several_invocations_as_if_it_were_one() {
    let (text, time) = (mixed(600), Duration::from_millis(200));
    let world = World::new().await;
    world.gateway.delay(Duration::from_millis(10));
    world.s3.put("a.csv", text.as_str()).await;
    let (summary, result) = world.deliver(created(&["a.csv"]), within(time)).await;
    result.unwrap();
    assert_eq!((summary.continued, summary.finished), (1, 0));
    let first = world.s3.report("a.csv").await;
    assert_eq!(first["status"], "running");
    let hops = go_on(&world, time).await;
    assert!(hops > 1, "{hops}");
    let report = world.s3.report("a.csv").await;
    assert_eq!((&report["status"], &report["hop"]), (&json!("finished"), &json!(hops)));
    assert_eq!(report["started_at"], first["started_at"]);
    // Nothing was cut off in the middle: every row in work was answered before the end.
    assert_eq!(counts(&report), [600, 400, 0, 200]);
    assert_eq!(report["reasons"], json!({"required": 200}));
    assert_eq!(world.s3.errors("a.csv").await, undisturbed(&text).await);
    assert_eq!(world.gateway.made().len(), 400);
    assert_eq!(world.gateway.requests(), 600);
}

#[tokio::test]
async fn a_row_is_a_duplicate_also_of_one_before_the_continuation() {
    let mut text = crate::world::rows(100);
    text.push_str("Product 1,1.50,1\n");
    let world = World::new().await;
    world.gateway.delay(Duration::from_millis(5));
    world.s3.put("a.csv", text).await;
    world.deliver(created(&["a.csv"]), within(Duration::from_millis(30))).await.1.unwrap();
    assert!(go_on(&world, Duration::from_secs(60)).await > 0);
    let report = world.s3.report("a.csv").await;
    assert_eq!((counts(&report)[0], &report["reasons"]), (101, &json!({"duplicate_row": 1})));
    assert!(world.s3.errors("a.csv").await.contains("line 2;"));
}

#[tokio::test]
async fn an_outage_as_long_as_an_invocation_is_left_to_the_next_one() {
    let world = World::new().await;
    world.s3.put("a.csv", mixed(60)).await;
    world.gateway.fail(|request| if request < 20 { Fault::None } else { Fault::Status(503, None) });
    world.deliver(created(&["a.csv"]), within(Duration::from_secs(2))).await.1.unwrap();
    let [continuation] = world.queue.take().try_into().unwrap();
    assert!(continuation["line"].as_u64().unwrap() >= 12, "{continuation}");
    world.gateway.heal();
    world.deliver(continuation, None).await.1.unwrap();
    assert_eq!(world.gateway.made().len(), 40);
    assert_eq!(world.s3.errors("a.csv").await, undisturbed(&mixed(60)).await);
}

#[tokio::test]
async fn a_continuation_that_comes_again_changes_nothing() {
    let text = mixed(90);
    let world = World::new().await;
    world.gateway.delay(Duration::from_millis(5));
    world.s3.put("a.csv", text.as_str()).await;
    world.deliver(created(&["a.csv"]), within(Duration::from_millis(30))).await.1.unwrap();
    let [continuation] = world.queue.take().try_into().unwrap();
    for _ in 0..2 {
        world.deliver(continuation.clone(), None).await.1.unwrap();
        let [read, _, _, failed] = counts(&world.s3.report("a.csv").await);
        assert_eq!((read, failed), (90, 30));
        assert_eq!(world.s3.errors("a.csv").await, undisturbed(&text).await);
    }
    assert_eq!(world.gateway.made().len(), 60);
}

#[tokio::test]
async fn rows_that_failed_are_not_lost_with_the_file_of_them() {
    let text = mixed(90);
    let world = World::new().await;
    // So far it comes, however busy the machine is.
    world.gateway.fail(|request| if request < 40 { Fault::None } else { Fault::Status(503, None) });
    world.s3.put("a.csv", text.as_str()).await;
    world.deliver(created(&["a.csv"]), within(Duration::from_secs(2))).await.1.unwrap();
    let [continuation] = world.queue.take().try_into().unwrap();
    assert!(continuation["rows"]["failed"].as_u64().unwrap() > 0);
    world.gateway.heal();
    world.s3.delete("a.csv.errors.csv").await;
    world.deliver(continuation, None).await.1.unwrap();
    let [read, _, unchanged, failed] = counts(&world.s3.report("a.csv").await);
    assert_eq!((read, failed), (90, 30));
    assert!(unchanged > 0);
    assert_eq!(world.s3.errors("a.csv").await, undisturbed(&text).await);
}

#[tokio::test]
async fn records_for_which_no_time_is_left_are_imported_by_continuations() {
    let world = World::new().await;
    for key in ["a.csv", "b.csv"] {
        world.s3.put(key, mixed(30)).await;
    }
    let (summary, result) = world.deliver(created(&["a.csv", "b.csv"]), within(Duration::ZERO)).await;
    result.unwrap();
    assert_eq!((summary.continued, world.gateway.requests()), (2, 0));
    go_on(&world, Duration::from_secs(60)).await;
    for key in ["a.csv", "b.csv"] {
        assert_eq!(counts(&world.s3.report(key).await), [30, 20, 0, 10]);
    }
}

#[tokio::test]
async fn an_import_that_does_not_end_is_given_up_and_says_so() {
    let world = World::new().await;
    world.s3.put("a.csv", mixed(30)).await;
    world.gateway.fail(|_| Fault::Status(503, None));
    let last: Value = json!({"bucket": "imports", "key": "a.csv", "version": null, "line": 1, "hop": MAX_HOPS});
    let (_, result) = world.deliver(last, within(Duration::from_millis(50))).await;
    assert!(matches!(result, Err(Error::Unfinished(_))), "{result:?}");
    assert!(world.queue.take().is_empty());
    let report = world.s3.report("a.csv").await;
    assert_eq!((&report["status"], &report["reason"]["code"]), (&json!("refused"), &json!("interrupted")));
    // Nor does a function go round for ever whose time is over at once.
    let last: Value = json!({"bucket": "imports", "key": "a.csv", "version": null, "line": 1, "hop": MAX_HOPS});
    assert!(matches!(world.deliver(last, within(Duration::ZERO)).await.1, Err(Error::Unfinished(_))));
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_not_waited_for_beyond_the_time_limit() {
    let world = World::new().await;
    world.s3.put("a.csv", mixed(30)).await;
    world.gateway.delay(Duration::from_secs(600));
    let now = tokio::time::Instant::now();
    let limit = product_import::TimeLimit { stop_at: now, give_up_at: now + Duration::from_millis(100) };
    // Nothing is begun after the stop, so it has to be begun just before.
    let limit = product_import::TimeLimit { stop_at: now + Duration::from_millis(50), ..limit };
    world.deliver(created(&["a.csv"]), Some(limit)).await.1.unwrap();
    assert!(now.elapsed() < Duration::from_secs(10), "{:?}", now.elapsed());
    assert_eq!(world.queue.take().len(), 1);
}
