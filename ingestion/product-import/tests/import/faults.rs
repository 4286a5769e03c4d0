//! A gateway that cannot answer, answers twice, or not at all.

use std::time::Duration;

use product_import::Error;
use tokio::time::Instant;

use crate::gateway::Fault;
use crate::world::{World, counts, created, rows};

#[tokio::test]
async fn rows_that_are_not_answered_are_sent_again_and_made_once() {
    for fault in [
        Fault::Status(429, Some(0)),
        Fault::Status(502, None),
        Fault::Status(503, Some(0)),
        Fault::Status(504, None),
        Fault::Status(408, None),
        Fault::Status(500, None),
        Fault::StatusAfter(504),
        Fault::CutBefore,
        Fault::CutAfter,
    ] {
        let world = World::new().await;
        world.gateway.fail(move |request| if request % 5 == 1 { fault } else { Fault::None });
        let report = world.import_file("a.csv", rows(25)).await;
        let [read, created, unchanged, failed] = counts(&report);
        assert_eq!((read, failed), (25, 0), "{fault:?}");
        // What was made without saying so is found unchanged.
        let made_in_silence = matches!(fault, Fault::StatusAfter(_) | Fault::CutAfter);
        assert_eq!(unchanged > 0, made_in_silence, "{fault:?}: {created} created");
        assert_eq!(world.gateway.made().len(), 25, "{fault:?}");
    }
}

#[tokio::test]
async fn every_row_waits_as_long_as_the_gateway_asks_for() {
    let world = World::new().await;
    world.gateway.fail_next(Fault::Status(503, Some(2)));
    let began = Instant::now();
    let report = world.import_file("a.csv", rows(100)).await;
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(counts(&report), [100, 100, 0, 0]);
    // Those in work at that time, and then one for each row.
    assert_eq!(world.gateway.requests(), 101);
}

#[tokio::test]
async fn a_row_that_the_gateway_always_fails_at_does_not_hold_up_the_others() {
    let mut world = World::new().await;
    world.importer.args.import_concurrency = 1;
    world.gateway.fail(|request| if (1..=4).contains(&request) { Fault::Status(500, None) } else { Fault::None });
    let report = world.import_file("a.csv", rows(3)).await;
    assert_eq!(counts(&report), [3, 2, 0, 1]);
    assert_eq!(report["reasons"], serde_json::json!({"made-for-a-test": 1}));
    assert_eq!(world.gateway.names(), ["Product 1", "Product 3"]);
}

#[tokio::test]
async fn an_answer_that_no_row_can_be_the_cause_of_stops_the_import() {
    for (status, remedy) in [
        (401, "PRODUCT_API_TOKEN"),
        (403, "PRODUCT_API_TOKEN"),
        (404, "PRODUCT_API_URL"),
        (405, "PRODUCT_API_URL"),
        (200, "PRODUCT_API_URL"),
        (302, "PRODUCT_API_URL"),
    ] {
        let world = World::new().await;
        world.s3.put("a.csv", rows(50)).await;
        world.gateway.fail(move |request| if request < 20 { Fault::None } else { Fault::Status(status, None) });
        let (summary, result) = world.deliver(created(&["a.csv"]), None).await;
        let Err(Error::Gateway(message)) = &result else { panic!("{status}: {result:?}") };
        assert!(message.contains(&status.to_string()) && message.contains(remedy), "{message}");
        assert!(!message.contains(crate::gateway::TOKEN));
        let report = world.s3.report("a.csv").await;
        assert_eq!(
            (&report["status"], &report["reason"]["code"]),
            (&"running".into(), &"interrupted".into()),
            "{report}"
        );
        assert_eq!(summary.rows.read, counts(&report)[0]);
        // With the right settings, the same event goes through.
        world.gateway.heal();
        let report = world.import("a.csv").await;
        assert_eq!((report["status"].as_str(), counts(&report)[3]), (Some("finished"), 0));
        assert!(report["reason"].is_null());
        assert_eq!(world.gateway.made().len(), 50);
    }
}

#[tokio::test]
async fn other_refusals_are_of_the_row() {
    for status in [400, 409, 413, 415, 422] {
        let world = World::new().await;
        world.gateway.fail_next(Fault::Status(status, None));
        let report = world.import_file("a.csv", rows(10)).await;
        assert_eq!(counts(&report), [10, 9, 0, 1], "{status}");
        assert_eq!(report["reasons"], serde_json::json!({"made-for-a-test": 1}));
    }
}
