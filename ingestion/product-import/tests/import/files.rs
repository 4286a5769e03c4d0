//! What becomes of the rows of a file.

use serde_json::json;

use crate::world::{World, counts, rows};

#[tokio::test]
async fn every_row_makes_a_product_and_the_report_says_so() {
    let world = World::new().await;
    let text = "stock_quantity,Name,colour,price,category,description\n5,Lamp,red,19.90,lamps,\"small, bright\"\n,Chair,,49,,\n";
    let report = world.import_file("new/products.csv", text).await;
    assert_eq!(
        world.gateway.made(),
        [
            json!({"name": "Lamp", "description": "small, bright", "price": "19.90", "category": "lamps", "stock_quantity": 5}),
            json!({"name": "Chair", "price": "49"}),
        ]
    );
    assert_eq!(counts(&report), [2, 2, 0, 0]);
    for (member, value) in [
        ("status", json!("finished")),
        ("bucket", json!("imports")),
        ("key", json!("new/products.csv")),
        ("line", json!(4)),
        ("hop", json!(0)),
        ("reasons", json!({})),
        ("errors_key", json!(null)),
        ("reason", json!(null)),
        ("ignored_columns", json!(["colour"])),
        ("encoding", json!("utf-8")),
        ("delimiter", json!(",")),
        ("version", json!(null)),
    ] {
        assert_eq!(report[member], value, "{member}: {report}");
    }
    for time in ["started_at", "updated_at", "finished_at"] {
        let text = report[time].as_str().unwrap();
        assert!(schemas::EventTime::parse(text.as_bytes()).is_ok() && text.ends_with('Z'), "{report}");
    }
    assert_eq!(world.s3.find("new/products.csv.errors.csv").await, None);
}

#[tokio::test]
async fn the_same_file_again_changes_nothing() {
    let world = World::new().await;
    world.import_file("a.csv", rows(20)).await;
    let report = world.import_file("a.csv", rows(20)).await;
    assert_eq!(counts(&report), [20, 0, 20, 0]);
    assert_eq!(world.gateway.made().len(), 20);
}

#[tokio::test]
async fn a_corrected_file_under_the_same_name_makes_what_is_new_in_it() {
    let world = World::new().await;
    world.import_file("a.csv", "name,price\nLamp,19.90\nChair,cheap\n").await;
    let report = world.import_file("a.csv", "price,name\n49.00,Chair\n19.90,Lamp\n").await;
    assert_eq!(counts(&report), [2, 1, 1, 0]);
    assert_eq!(world.gateway.names(), ["Chair", "Lamp"]);
    assert_eq!(world.s3.errors("a.csv").await, "", "the file of errors is that of an earlier import");
}

#[tokio::test]
async fn rows_that_fail_are_kept_with_the_reason_as_they_were_read() {
    let world = World::new().await;
    let mut text = b"name,price,stock_quantity,note\n".to_vec();
    text.extend(b"Lamp,19.90,5,ok\n");
    text.extend(b",,,\"no name,\nno price\"\n");
    text.extend(b"K\xe4se,1.00,1,latin\n");
    text.extend(b"Chair,dear,few,\n");
    text.extend(b"Table,1.00\n");
    text.extend(b"Table,1.00,1,\"5\"\" legs\",more\n\n");
    text.extend(b"Lamp,19.90,5,again\n");
    text.extend(b"Sofa,300.00,1,\n");
    let report = world.import_file("a.csv", text).await;
    assert_eq!(counts(&report), [8, 2, 0, 6]);
    assert_eq!(
        report["reasons"],
        json!({"required": 1, "not_utf8": 1, "invalid_format": 1, "wrong_column_count": 2, "duplicate_row": 1})
    );
    assert_eq!(report["errors_key"], "a.csv.errors.csv");
    assert_eq!(
        world.s3.errors("a.csv").await,
        [
            "line,reason,detail,name,price,stock_quantity,note\r\n",
            "3,required,name is required | price is required,,,,\"no name,\nno price\"\r\n",
            "5,not_utf8,cell 1 has bytes that are no characters; save the file as CSV UTF-8,K\u{fffd}se,1.00,1,latin\r\n",
            "6,invalid_format,price must be an amount | stock_quantity must be an integer,Chair,dear,few,\r\n",
            "7,wrong_column_count,\"the row has 2 cells, the header 4; put cells with the delimiter in quotes\",Table,1.00\r\n",
            "8,wrong_column_count,\"the row has 5 cells, the header 4; put cells with the delimiter in quotes\",Table,1.00,1,\"5\"\" legs\",more\r\n",
            "10,duplicate_row,the row is the same as the one on line 2; leave one of them out,Lamp,19.90,5,again\r\n",
        ]
        .concat()
    );
    assert_eq!(world.gateway.names(), ["Lamp", "Sofa"]);
}

#[tokio::test]
async fn a_mended_file_of_errors_can_be_imported_and_leaves_out_its_own_columns() {
    let world = World::new().await;
    world.import_file("a.csv", "name;price\nLamp;\"19,90\"\nChair;\nTable;\n").await;
    let errors = world.s3.errors("a.csv").await;
    assert!(errors.starts_with("line;reason;detail;name;price\r\n"), "{errors}");
    let mended = errors.replace("Chair;", "Chair;49,00");
    let report = world.import_file("a.csv.errors.csv", mended).await;
    assert_eq!(counts(&report), [2, 1, 0, 1]);
    assert_eq!(report["ignored_columns"], json!(["line", "reason", "detail"]));
    assert_eq!(world.gateway.names(), ["Chair", "Lamp"]);
    assert_eq!(world.gateway.made()[1]["price"], "49.00");
    let errors = world.s3.errors("a.csv.errors.csv").await;
    assert_eq!(errors, "line;reason;detail;name;price\r\n3;required;price is required;Table;\r\n");
}

#[tokio::test]
async fn outputs_are_not_imported_whatever_their_names_are() {
    let world = World::new().await;
    world.import_file("a.csv", "name,price\nChair,\n").await;
    let requests = world.gateway.requests();
    let (summary, result) =
        world.deliver(crate::world::created(&["a.csv.errors.csv", "a.csv.report.json"]), None).await;
    result.unwrap();
    assert_eq!((summary.skipped, summary.finished), (2, 0));
    assert_eq!(world.gateway.requests(), requests);
}

#[tokio::test]
async fn of_a_file_without_name_or_price_nothing_is_imported() {
    let world = World::new().await;
    for (text, code) in [
        ("name,cost\nLamp,1\n", "missing_column"),
        ("titre;price\nLamp;1\n", "missing_column"),
        ("name,price,Name\nLamp,1,Lamp\n", "duplicate_column"),
        ("", "empty_file"),
        ("\n\n", "empty_file"),
        ("sep=;\n", "empty_file"),
        ("PK\u{3}\u{4}\u{0}\u{0}", "missing_column"),
    ] {
        let report = world.import_file("a.csv", text).await;
        assert_eq!((&report["status"], &report["reason"]["code"]), (&json!("refused"), &json!(code)), "{text:?}");
        assert_eq!(counts(&report), [0, 0, 0, 0]);
        assert!(report["finished_at"].is_string());
    }
    assert_eq!(world.gateway.requests(), 0);
}

#[tokio::test]
async fn a_header_alone_is_a_file_without_rows() {
    let world = World::new().await;
    let report = world.import_file("a.csv", "name,price").await;
    assert_eq!((report["status"].as_str(), counts(&report)), (Some("finished"), [0, 0, 0, 0]));
}

#[tokio::test]
async fn a_quote_that_is_never_closed_is_refused_and_the_rows_before_it_are_in() {
    let world = World::new().await;
    let report = world.import_file("short.csv", "name,price,description\nLamp,1,\nChair,2,\"big\nTable,3,\n").await;
    assert_eq!(counts(&report), [2, 1, 0, 1]);
    assert_eq!(report["reasons"], json!({"unclosed_quote": 1}));
    // Too long to be read into memory.
    let mut text = "name,price,description\nLamp,1,\nSofa,,\nChair,2,\"big\n".to_owned();
    text.push_str(&"Table,3,\n".repeat(200_000));
    let report = world.import_file("long.csv", text).await;
    assert_eq!((&report["status"], &report["reason"]["code"]), (&json!("refused"), &json!("too_large")));
    assert_eq!(report["reason"]["line"], 4);
    assert_eq!(counts(&report), [2, 1, 0, 1]);
    assert!(world.s3.errors("long.csv").await.contains("3,required,"));
    assert_eq!(world.gateway.names(), ["Lamp", "Lamp"]);
}

#[tokio::test]
async fn the_order_of_errors_is_the_files_although_rows_are_sent_at_once() {
    let world = World::new().await;
    world.gateway.delay(std::time::Duration::from_millis(2));
    let lines =
        (0..200).map(|row| if row % 3 == 0 { format!("Row {row},dear\n") } else { format!("Row {row},{row}\n") });
    let text: String = std::iter::once("name,price\n".to_owned()).chain(lines).collect();
    let report = world.import_file("a.csv", text).await;
    assert_eq!(counts(&report), [200, 133, 0, 67]);
    let errors = world.s3.errors("a.csv").await;
    let lines: Vec<u64> = errors.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
    assert_eq!(lines, (0..200).step_by(3).map(|row| row + 2).collect::<Vec<_>>());
    assert!(world.gateway.most_in_work() > 1 && world.gateway.most_in_work() <= 8, "{}", world.gateway.most_in_work());
}

#[tokio::test]
async fn there_is_a_report_from_the_start_and_at_checkpoints() {
    let mut world = World::new().await;
    world.importer.args.import_checkpoint_rows = 10;
    world.gateway.delay(std::time::Duration::from_millis(5));
    world.s3.put("a.csv", rows(100)).await;
    let reports = async {
        let mut seen = Vec::new();
        loop {
            // What is just being replaced cannot be read.
            let found = world.s3.find("a.csv.report.json").await;
            if let Some(report) = found.and_then(|(report, _)| serde_json::from_str::<serde_json::Value>(&report).ok())
            {
                let is_last = report["status"] != "running";
                if seen.last() != Some(&report) {
                    seen.push(report);
                }
                if is_last {
                    return seen;
                }
            }
            tokio::task::yield_now().await;
        }
    };
    let (seen, _) = tokio::join!(reports, world.import("a.csv"));
    assert!(seen.len() > 3, "{seen:?}");
    let lines: Vec<_> = seen.iter().map(|report| report["line"].as_u64().unwrap()).collect();
    assert!(lines.is_sorted(), "{lines:?}");
    assert_eq!(counts(seen.last().unwrap()), [100, 100, 0, 0]);
}
