//! The demo shop, as somebody who starts `footfall` for the first time meets it.

use std::time::Instant;

use serde_json::Value;

use crate::harness::{COUNT_LIMIT, Footfall, PAUSE, START_LIMIT, STOP_LIMIT, folder};
use crate::key;

/// What is there once the demo is open: how many products, and how many customers.
async fn shop(footfall: &Footfall) -> (usize, usize) {
    (count(footfall, "/products").await, count(footfall, "/customers").await)
}

async fn count(footfall: &Footfall, path: &str) -> usize {
    let client = reqwest::Client::new();
    let token = footfall.variable("FOOTFALL_ADMIN_TOKEN");
    let (mut count, mut cursor) = (0, String::new());
    loop {
        let url = footfall.url(&format!("{path}?limit=200{cursor}"));
        let page: Value = client.get(url).bearer_auth(&token).send().await.unwrap().json().await.unwrap();
        count += page["items"].as_array().unwrap().len();
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return count,
        }
    }
}

async fn wait_for_shop(footfall: &mut Footfall) {
    footfall.wait_until_said("demo: 300 products");
    let began = Instant::now();
    while shop(footfall).await != (300, 20) {
        assert!(began.elapsed() < START_LIMIT, "{:?}\n{}", shop(footfall).await, footfall.said());
        tokio::time::sleep(PAUSE * 5).await;
    }
}

/// The lines that are shown to be tried.
fn lines_to_try(footfall: &Footfall) -> Vec<String> {
    let said = footfall.said();
    let lines = said.split_once("to try:\n").unwrap().1.lines().take_while(|line| line.starts_with("  curl "));
    lines.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_move_within_seconds_and_equal_the_answer_key() {
    let folder = folder();
    let mut footfall = Footfall::start_with(folder.path(), &["--demo-rate", "50", "--demo-seed", "7"], &[]);
    footfall.wait_until_said("to try:");
    let lines = lines_to_try(&footfall);
    assert_eq!(lines.len(), 3, "{}", footfall.said());
    // The first line asks for the product that is looked at most.
    let open = Instant::now();
    loop {
        let page: Value = serde_json::from_str(&footfall.shell(&lines[0])).unwrap();
        if page["items"].as_array().is_some_and(|items| !items.is_empty()) {
            break;
        }
        assert!(open.elapsed() < COUNT_LIMIT, "{page}\n{}", footfall.said());
        tokio::time::sleep(PAUSE).await;
    }
    for line in &lines {
        let answer: Value = serde_json::from_str(&footfall.shell(line)).unwrap();
        assert!(answer.get("status").is_none(), "{line}: {answer}");
    }

    let minutes = key::wait_for_minutes(&footfall, 2).await;
    let counts: Vec<_> = minutes.values().flat_map(|products| products.values()).collect();
    assert!(counts.len() > 200, "{minutes:?}");
    // A machine that does other things as well may answer late around the end of a minute.
    let exact = counts.iter().filter(|(least, most)| least == most).count();
    assert!(exact * 10 > counts.len() * 9, "{minutes:?}");
    key::assert_equal(&footfall, &minutes).await;
    let said = footfall.said();
    assert!(!said.contains("of the demo are given up") && !said.contains("judged in another way"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_on_the_same_data_makes_nothing_twice_whatever_is_remembered() {
    let folder = folder();
    let mut footfall = Footfall::start_with(folder.path(), &["--demo-rate", "20"], &[]);
    wait_for_shop(&mut footfall).await;
    footfall.signal("TERM");
    assert!(footfall.wait(STOP_LIMIT).success(), "{}", footfall.said());

    let mut footfall = Footfall::start_with(folder.path(), &["--demo-rate", "20"], &[]);
    wait_for_shop(&mut footfall).await;
    footfall.signal("KILL");
    footfall.wait(STOP_LIMIT);

    // As after a crash in between: made, and not remembered.
    std::fs::remove_file(footfall.data.join("demo.json")).unwrap();
    let mut footfall = Footfall::start_with(folder.path(), &["--demo-rate", "20"], &[]);
    wait_for_shop(&mut footfall).await;
    let began = Instant::now();
    while !std::fs::read_to_string(footfall.data.join("demo.json")).is_ok_and(|json| json.contains("true")) {
        assert!(began.elapsed() < COUNT_LIMIT, "{}", footfall.said());
        tokio::time::sleep(PAUSE).await;
    }
    assert_eq!(shop(&footfall).await, (300, 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_demo_there_is_nothing_but_lines_to_try_which_work() {
    let folder = folder();
    let mut footfall = Footfall::start(folder.path(), &[]);
    footfall.wait_until_said("to try:");
    assert_eq!(shop(&footfall).await, (0, 0));
    for line in lines_to_try(&footfall) {
        let answer: Value = serde_json::from_str(&footfall.shell(&line)).unwrap();
        assert!(answer.get("status").is_none(), "{line}: {answer}");
    }
    assert!(!footfall.data.join("demo.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_page_has_the_metrics_of_all_parts() {
    let folder = folder();
    let footfall = Footfall::start(folder.path(), &[]);
    let url = footfall.variable("FOOTFALL_METRICS_URL");
    let response = reqwest::get(&url).await.unwrap();
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    let page = response.text().await.unwrap();
    for part in ["dataflow", "product-catalog", "order-service", "customer-service", "activity-service", "api-gateway"]
    {
        assert!(page.contains(&format!("{{part=\"{part}\"")), "{part}\n{page}");
    }
    assert_eq!(page.matches("# TYPE http_requests counter").count(), 1);
    assert!(page.ends_with("# EOF\n"));
    let links = reqwest::get(url.replace("/metrics", "/")).await.unwrap().text().await.unwrap();
    assert_eq!(links.matches("<li>").count(), 6, "{links}");
}
