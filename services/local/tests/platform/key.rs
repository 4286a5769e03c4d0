//! The demo's answer key, and whether the platform's answers are the same.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Footfall, PAUSE};

/// How long rows may take to come once their minute is over; the out-of-orderness is ten seconds of it.
const ROWS_LIMIT: Duration = Duration::from_secs(90);

/// For each minute and product the least and the most visitors.
pub(crate) type Minutes = BTreeMap<String, BTreeMap<String, (u64, u64)>>;

/// Minutes of the key that are known.
pub(crate) fn minutes(footfall: &Footfall) -> Minutes {
    let (is_told, said) = footfall.ask(&["demo", "key", "--minutes", "30"]);
    assert!(is_told, "{said}\n{}", footfall.said());
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some("product_id\twindow_start\tunique_users"));
    let mut minutes = Minutes::new();
    for line in lines {
        let [product, minute, users] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        if users == "unknown" {
            assert_eq!(product, "-");
            continue;
        }
        let (least, most) = users.split_once("..").unwrap_or((users, users));
        let count = (least.parse().unwrap(), most.parse().unwrap());
        minutes.entry(minute.to_owned()).or_default().insert(product.to_owned(), count);
    }
    minutes
}

/// Waits until so many minutes are known.
pub(crate) async fn wait_for_minutes(footfall: &Footfall, wanted: usize) -> Minutes {
    let limit = Duration::from_secs(60) * (u32::try_from(wanted).unwrap() + 2);
    let began = Instant::now();
    loop {
        let found = minutes(footfall);
        if found.len() >= wanted {
            return found;
        }
        assert!(began.elapsed() < limit, "{found:?}\n{}", footfall.said());
        tokio::time::sleep(PAUSE * 20).await;
    }
}

/// The final rows of the same minutes, of every product of the demo; none where a part has too much to do to answer.
async fn rows(footfall: &Footfall, minutes: &Minutes) -> Option<BTreeMap<(String, String), u64>> {
    let demo: Value = serde_json::from_slice(&std::fs::read(footfall.data.join("demo.json")).unwrap()).unwrap();
    let first = minutes.first_key_value().unwrap().0;
    let client = reqwest::Client::new();
    let mut rows = BTreeMap::new();
    for product in demo["products"].as_array().unwrap() {
        let product = product.as_str().unwrap();
        let url = footfall.url(&format!("/analytics/products/{product}/windows?from={first}&limit=200"));
        let answer = client.get(url).send().await.unwrap();
        if answer.status() == 503 {
            return None;
        }
        let page: Value = answer.json().await.unwrap();
        for row in page["items"].as_array().unwrap_or_else(|| panic!("{page}")) {
            let minute = row["window_start"].as_str().unwrap().to_owned();
            if row["final"] == true && minutes.contains_key(&minute) {
                rows.insert((minute, product.to_owned()), row["unique_user_count"].as_u64().unwrap());
            }
        }
    }
    Some(rows)
}

/// What the key and the rows do not agree on.
fn differences(minutes: &Minutes, rows: &BTreeMap<(String, String), u64>) -> Vec<String> {
    let mut differences = Vec::new();
    for (minute, products) in minutes {
        for (product, (least, most)) in products {
            // A row that says 0 is never written.
            let counted = rows.get(&(minute.clone(), product.clone())).copied().unwrap_or(0);
            if !(*least..=*most).contains(&counted) {
                differences.push(format!("{minute} product {product}: {counted}, not {least}..{most}"));
            }
        }
    }
    let more = rows.iter().filter(|((minute, product), _)| !minutes[minute].contains_key(product));
    differences.extend(more.map(|((minute, product), count)| format!("{minute} product {product}: {count}, not 0")));
    differences
}

/// Every row is the key's, exactly where the key is exact. Rows are waited for, as they come after their minute.
pub(crate) async fn assert_equal(footfall: &Footfall, minutes: &Minutes) {
    let began = Instant::now();
    loop {
        let differences = match rows(footfall, minutes).await {
            Some(rows) => differences(minutes, &rows),
            None => vec!["counts are answered 503".to_owned()],
        };
        if differences.is_empty() {
            return;
        }
        assert!(began.elapsed() < ROWS_LIMIT, "{}\n{}", differences.join("\n"), footfall.said());
        tokio::time::sleep(PAUSE * 20).await;
    }
}
