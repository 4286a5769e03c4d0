//! CSV files that are put into the bucket, by the line that the platform prints.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;

use crate::harness::{Footfall, PAUSE, START_LIMIT, folder};

const FILE: &str = "shop.csv";
/// Every tenth row is bad.
const ROWS: usize = 600;

/// Ways in which a row can be bad: the row, with `#` for its number and U+0001 for a byte that is no UTF-8, and the reason.
const BAD: [(&str, &str); 20] = [
    (",no name #,1.00,lamps,1", "required"),
    ("Bad #,no price,,lamps,1", "required"),
    ("Bad #,,-1.00,lamps,1", "below_minimum"),
    ("Bad #,,-0.01,lamps,1", "below_minimum"),
    ("Bad #,,cheap,lamps,1", "invalid_format"),
    ("Bad #,,1e3,lamps,1", "invalid_format"),
    ("Bad #,,\"19,90\",lamps,1", "invalid_format"),
    ("Caf\u{1} #,,1.00,lamps,1", "not_utf8"),
    ("Bad #,,1.999,lamps,1", "too_many_digits"),
    ("Bad #,,99999999999999999999,lamps,1", "invalid_format"),
    ("Bad #,,1.00,lamps,many", "wrong_type"),
    ("Bad #,,1.00,lamps,1.5", "wrong_type"),
    ("Bad #,,1.00,lamps,-1", "below_minimum"),
    ("Bad #,,1.00,lamps,99999999999999999999", "above_maximum"),
    ("Bad #,too few cells", "wrong_column_count"),
    ("Bad #,,1.00,lamps,1,too many", "wrong_column_count"),
    ("Bad # \u{0},,1.00,lamps,1", "invalid_format"),
    ("LONG NAME,,1.00,lamps,1", "too_long"),
    ("Bad #,,1.00,LONG NAME,1", "too_long"),
    ("Good 1,\"two\nlines, of it\",1.00,lamps,1", "duplicate_row"),
];

/// A file of rows, some of which are bad unless `is_mended`; with the line and reason of each that is.
fn file(is_mended: bool) -> (Vec<u8>, Vec<(String, String)>) {
    let mut text = String::from("name,description,price,category,stock_quantity\n");
    let mut bad = Vec::new();
    for row in 1..=ROWS {
        let line = text.lines().count() + 1;
        let number = row.to_string();
        if row % 10 != 0 {
            text += &format!("Good {number},\"two\nlines, of it\",1.00,lamps,1\n");
            continue;
        }
        if is_mended {
            text += &format!("Mended {number},,1.00,lamps,1\n");
            continue;
        }
        let (cells, reason) = BAD[row / 10 % BAD.len()];
        text += &cells.replace('#', &number).replace("LONG NAME", &number.repeat(300));
        text.push('\n');
        bad.push((line.to_string(), reason.to_owned()));
    }
    (text.bytes().map(|byte| if byte == 1 { 0xe9 } else { byte }).collect(), bad)
}

/// Uploads by the line that the platform prints.
fn upload(platform: &Footfall, text: impl AsRef<[u8]>) {
    let folder = platform.data.parent().unwrap();
    fs::write(folder.join(FILE), text).unwrap();
    let said = platform.said();
    let line = said.lines().find_map(|line| line.trim().strip_prefix("import products")).unwrap();
    platform.shell(&line.replace("curl -T FILE.csv", &format!("curl -fsS -T {FILE}")));
}

/// Waits until an import of the file has ended with so many rows created, unchanged and failed.
fn wait_for(platform: &Footfall, [created, unchanged, failed]: [usize; 3]) -> Value {
    let began = Instant::now();
    loop {
        let report = platform.shell(&format!("curl -sS $AWS_ENDPOINT_URL_S3/ecom-product-imports/{FILE}.report.json"));
        let report: Value = serde_json::from_str(&report).unwrap_or_default();
        let rows = &report["rows"];
        if report["status"] == "finished"
            && rows["created"] == created
            && rows["unchanged"] == unchanged
            && rows["failed"] == failed
        {
            assert_eq!(rows["read"], created + unchanged + failed);
            return report;
        }
        assert!(began.elapsed() < START_LIMIT, "{report}\n{}", platform.said());
        std::thread::park_timeout(PAUSE);
    }
}

/// The file of errors: line, reason and the rest of each record.
fn errors(platform: &Footfall) -> Vec<csv::StringRecord> {
    let text = platform.shell(&format!("curl -fsS $AWS_ENDPOINT_URL_S3/ecom-product-imports/{FILE}.errors.csv"));
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    assert_eq!(
        reader.headers().unwrap().iter().collect::<Vec<_>>(),
        ["line", "reason", "detail", "name", "description", "price", "category", "stock_quantity"]
    );
    reader.records().map(Result::unwrap).collect()
}

/// The names of all products, each as often as it is there.
fn products(platform: &Footfall) -> BTreeMap<String, usize> {
    let (mut names, mut cursor) = (BTreeMap::new(), String::new());
    loop {
        let page = platform.shell(&format!("curl -fsS \"$FOOTFALL_URL/products?limit=200{cursor}\""));
        let page: Value = serde_json::from_str(&page).unwrap();
        for product in page["items"].as_array().unwrap() {
            *names.entry(product["name"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return names,
        }
    }
}

fn assert_each_once(platform: &Footfall, count: usize) {
    let products = products(platform);
    assert_eq!(products.len(), count);
    assert!(products.values().all(|times| *times == 1), "{products:?}");
}

#[test]
fn each_good_row_makes_one_product_and_each_bad_one_is_told_with_its_line_and_reason() {
    let folder = folder();
    let platform = Footfall::start(folder.path(), &[]);
    let (text, bad) = file(false);
    let (good, kinds) = (ROWS - bad.len(), bad.iter().map(|(_, reason)| reason).collect::<HashSet<_>>());
    assert!(kinds.len() >= 10 && bad.len() >= BAD.len());
    upload(&platform, &text);
    wait_for(&platform, [good, 0, bad.len()]);
    let told: Vec<_> = errors(&platform).iter().map(|row| (row[0].to_owned(), row[1].to_owned())).collect();
    assert_eq!(told, bad);
    assert_each_once(&platform, good);

    // The same again: nothing new.
    upload(&platform, &text);
    wait_for(&platform, [0, good, bad.len()]);
    assert_each_once(&platform, good);

    // The corrected original under the same name: what was missing.
    upload(&platform, file(true).0);
    let report = wait_for(&platform, [bad.len(), good, 0]);
    assert_eq!(report["errors_key"], Value::Null);
    let status = platform.shell(&format!(
        "curl -sS -o gone -w '%{{http_code}}' $AWS_ENDPOINT_URL_S3/ecom-product-imports/{FILE}.errors.csv"
    ));
    assert_eq!(status, "404");
    assert_each_once(&platform, ROWS);
}

#[test]
fn the_mended_file_of_errors_makes_exactly_the_missing_products() {
    let folder = folder();
    let platform = Footfall::start(folder.path(), &[]);
    upload(&platform, "name;price\nLamp;1,50\nShade;free\nBulb;\n");
    wait_for(&platform, [1, 0, 2]);
    platform.shell(&format!(
        "curl -fsS $AWS_ENDPOINT_URL_S3/ecom-product-imports/{FILE}.errors.csv | sed 's/;free/;2,50/; s/;Bulb;/;Bulb;3,50/' >mended.csv
         curl -fsS -T mended.csv $AWS_ENDPOINT_URL_S3/ecom-product-imports/{FILE}.errors.csv"
    ));
    let began = Instant::now();
    while products(&platform).len() < 3 {
        assert!(began.elapsed() < START_LIMIT, "{}", platform.said());
        std::thread::park_timeout(PAUSE);
    }
    assert_each_once(&platform, 3);
}

#[test]
fn a_platform_that_is_killed_in_the_middle_of_an_import_ends_it_when_it_starts_again() {
    let folder = folder();
    let checkpoints = [("IMPORT_CHECKPOINT_ROWS", "50".to_owned())];
    let mut platform = Footfall::start(folder.path(), &checkpoints);
    let count = 2_000;
    let rows: String = (0..count).map(|row| format!("Lamp {row},1.00\n")).collect();
    upload(&platform, format!("name,price\n{rows}"));
    let mut before = 0;
    for _ in 0..3 {
        let began = Instant::now();
        // Some way on, at a place that nobody chooses.
        let reached = loop {
            let reached = created(folder.path());
            if reached > before {
                break reached;
            }
            assert!(began.elapsed() < START_LIMIT, "{}", platform.said());
            std::thread::park_timeout(PAUSE);
        };
        platform.signal("KILL");
        platform.process.wait().unwrap();
        before = reached.min(count / 2);
        platform = Footfall::start(folder.path(), &checkpoints);
    }
    let began = Instant::now();
    while products(&platform).len() < count {
        assert!(began.elapsed() < START_LIMIT, "{}", platform.said());
        std::thread::park_timeout(PAUSE);
    }
    platform.wait_until_said("imported s3://");
    assert_each_once(&platform, count);
}

/// How many rows the report in the folder says are done.
fn created(folder: &Path) -> usize {
    let report = folder.join("shop/s3/ecom-product-imports").join(format!("{FILE}.report.json"));
    let report: Value = fs::read(report).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let of = |what: &str| report["rows"][what].as_u64().unwrap_or(0);
    usize::try_from(of("created") + of("unchanged")).unwrap()
}
