//! Rows in Kafka and in DynamoDB: both say the same, whatever happened in between.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use schemas::names::{ANALYTICS_TABLE, attribute, control};
use schemas::{ResultRow, Window};

use crate::broker::broker;
use crate::dynamo::Dynamo;
use crate::jobs::{Job, Running, epoch, until};
use crate::streams::{Records, own_rows};

fn environment(dynamo: &Dynamo) -> [(&'static str, String); 4] {
    [
        ("AWS_ENDPOINT_URL", format!("http://{}", dynamo.address)),
        ("AWS_REGION", "eu-central-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "key".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
    ]
}

/// The final rows in the table, in the order of files. Live rows are of windows that no event closes.
fn final_rows(dynamo: &Dynamo) -> Vec<ResultRow> {
    let is_final = |item: &HashMap<String, AttributeValue>| *item[attribute::FINAL].as_bool().unwrap();
    let items = dynamo.items(ANALYTICS_TABLE).into_iter().filter(is_final);
    let mut rows: Vec<_> = items
        .map(|item| ResultRow {
            product_id: item[attribute::PRODUCT_ID].as_s().unwrap().clone(),
            window: Window::from_start_text(item[attribute::WINDOW_START].as_s().unwrap()).unwrap(),
            unique_user_count: item[attribute::UNIQUE_USER_COUNT].as_n().unwrap().parse().unwrap(),
            revision: item[attribute::REVISION].as_n().unwrap().parse().unwrap(),
        })
        .collect();
    rows.sort_by(|a, b| (a.window, &a.product_id).cmp(&(b.window, &b.product_id)));
    rows
}

/// The epoch, and when the item was written.
fn control_item(dynamo: &Dynamo) -> Option<(u64, String)> {
    let items = dynamo.items(&format!("{ANALYTICS_TABLE}-control"));
    let item = items.first()?;
    let epoch = item[attribute::JOB_EPOCH].as_n().unwrap().parse().unwrap();
    Some((epoch, item[control::PROCESSED_AT].as_s().unwrap().clone()))
}

/// Waits until the control item was written twice more by the job of this epoch.
fn lives(dynamo: &Dynamo, running: &mut Running, epoch: u64) {
    let written = |before: Option<&String>| {
        until(&format!("a control item of epoch {epoch}"), || {
            running.must_run();
            control_item(dynamo).filter(|(found, at)| *found == epoch && Some(at) != before).map(|(_, at)| at)
        })
    };
    let mut written = written;
    let first = written(None);
    let second = written(Some(&first));
    let third = written(Some(&second));
    assert!(first < second && second < third, "{first} {second} {third}");
}

#[test]
fn after_crashes_the_table_has_the_rows_of_the_topic_and_the_control_item_the_epoch() {
    let Some(broker) = broker() else { return };
    let dynamo = Dynamo::start();
    let job = Job::new(broker, "tables-crashes", 3)
        .with(&["--sink", "dynamodb", "--create-table", "--live-store-interval", "1s"])
        .with_environment(environment(&dynamo));
    let mut records = Records::generate(3_000, 3, 61);
    std::thread::scope(|scope| {
        let feed = scope.spawn(|| records.send_slowly(broker, &job.topics.raw, 40));
        for (start, closed) in [(1, "12:01:00"), (2, "12:04:00")] {
            let mut running = job.start(&["-w", "2"]);
            job.until_closed(&mut running, &format!("2024-01-01T{closed}Z"));
            assert_eq!(control_item(&dynamo).map(|(epoch, _)| epoch), Some(start));
            running.kill();
        }
        feed.join().unwrap();
    });
    let mut running = job.start(&["-w", "3"]);
    lives(&dynamo, &mut running, 3);
    records.finish(&job, running);
    records.check(&job);
    assert_eq!(own_rows(final_rows(&dynamo)), records.rows());
    assert_eq!(epoch(&job.records()), 3);
}

#[test]
fn a_new_group_over_the_same_table_has_a_higher_epoch_and_an_older_job_ends() {
    let Some(broker) = broker() else { return };
    let dynamo = Dynamo::start();
    let job = Job::new(broker, "tables-group", 2)
        .with(&["--sink", "dynamodb", "--create-table"])
        .with_environment(environment(&dynamo));
    let mut records = Records::generate(2_000, 2, 62);
    records.send_until(broker, &job.topics.raw, 0.5);
    let mut first = job.start(&["-w", "1"]);
    job.until_closed(&mut first, "2024-01-01T12:02:00Z");
    let mut second = job.start(&["-w", "1", "--group", "group-tables-group-2"]);
    second.until_said("epoch 2", 1);
    // Nothing new comes in the topic: it is the table that says so.
    let ended = first.ended(std::time::Duration::from_secs(15));
    ended.expect(78, &["epoch 2", "epoch 1"]);
    lives(&dynamo, &mut second, 2);
    second.stop();
}
