//! The program for people.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::gateway::{FakeGateway, Fault, TOKEN};
use crate::world::{counts, rows};

/// Runs the program in a folder, with the token and no other variables.
async fn run(folder: &Path, arguments: &[&str], token: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_product-import"));
    command.env_clear().env("PRODUCT_API_TOKEN", token).current_dir(folder).args(arguments);
    command.output().await.unwrap()
}

fn texts(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn report(folder: &Path, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

#[tokio::test]
async fn a_file_is_imported_and_the_table_says_what_became_of_it() {
    let (gateway, folder) = (FakeGateway::start().await, TempDir::new().unwrap());
    let text = "name;price;colour\nLamp;19,90;red\nChair;;\nLamp;19,90;red\n";
    std::fs::write(folder.path().join("shop.csv"), text).unwrap();
    let url = gateway.url().to_string();
    let (code, said, complained) = texts(&run(folder.path(), &["shop.csv", "--gateway", &url], TOKEN).await);
    assert_eq!((code, complained.as_str()), (Some(1), ""));
    assert_eq!(
        said,
        [
            "shop.csv: finished",
            "  rows read                        3",
            "  created                          1",
            "  unchanged                        0",
            "  failed                           2",
            "    duplicate_row                  1",
            "    required                       1",
            "  not imported: colour",
            "  rows that failed: shop.csv.errors.csv",
            "",
        ]
        .join("\n")
    );
    let errors = std::fs::read_to_string(folder.path().join("shop.csv.errors.csv")).unwrap();
    assert!(errors.starts_with("line;reason;detail;name;price;colour\r\n3;required;"), "{errors}");
    let told = report(folder.path(), "shop.csv.report.json");
    assert_eq!((counts(&told), told["bucket"].as_str()), ([3, 1, 0, 2], Some("file")));

    // Mended in place, and imported from elsewhere: the rows are known by the file's name.
    std::fs::create_dir(folder.path().join("mended")).unwrap();
    std::fs::write(folder.path().join("mended/shop.csv"), "name;price\nLamp;19,90\nChair;49,00\n").unwrap();
    let (code, said, _) = texts(&run(folder.path(), &["mended/shop.csv", "--gateway", &url], TOKEN).await);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(counts(&report(folder.path(), "mended/shop.csv.report.json")), [2, 1, 1, 0]);
    assert_eq!(gateway.names(), ["Chair", "Lamp"]);
}

#[tokio::test]
async fn a_dry_run_sends_nothing_and_finds_what_is_wrong_with_the_file() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("a.csv"), b"name,price\nLamp,dear\nLamp,dear\nK\xe4se,1\nChair\n").unwrap();
    let (code, said, _) = texts(&run(folder.path(), &["a.csv", "--dry-run"], "").await);
    assert_eq!(code, Some(1));
    assert!(said.starts_with("a.csv: checked, nothing sent\n  rows read                        4\n"), "{said}");
    let told = report(folder.path(), "a.csv.report.json");
    assert_eq!((told["status"].as_str(), &told["rows"]["failed"]), (Some("checked"), &Value::from(3)));
    std::fs::write(folder.path().join("a.csv"), "name,price\nLamp,19.90\n").unwrap();
    let (code, ..) = texts(&run(folder.path(), &["a.csv", "--dry-run"], "").await);
    assert_eq!(code, Some(0));
    assert!(!folder.path().join("a.csv.errors.csv").exists(), "it was of the file before");
}

#[tokio::test]
async fn a_file_that_is_refused_says_why() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("a.csv"), "name,cost\nLamp,1\n").unwrap();
    let (code, said, _) = texts(&run(folder.path(), &["a.csv", "--dry-run"], "").await);
    assert_eq!(code, Some(1));
    assert!(said.starts_with("a.csv: refused\n  missing_column: the header has no column price"), "{said}");
}

#[tokio::test]
async fn a_wrong_setting_ends_with_64_and_one_sentence() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("a.csv"), rows(1)).unwrap();
    for (arguments, token, what) in [
        (&["a.csv"][..], TOKEN, "--gateway"),
        (&["a.csv", "--gateway", "here"], TOKEN, "--gateway"),
        (&["a.csv", "--gateway", "http://127.0.0.1:1"], "", "PRODUCT_API_TOKEN"),
        (&["a.csv", "--gateway", "http://127.0.0.1:1"], "two\nlines", "PRODUCT_API_TOKEN"),
        (&["a.csv", "--dry-run", "--import-concurrency", "0"], TOKEN, "--import-concurrency"),
    ] {
        let (code, said, complained) = texts(&run(folder.path(), arguments, token).await);
        assert_eq!((code, said.as_str()), (Some(64), ""), "{arguments:?}: {complained}");
        assert!(complained.contains(what), "{arguments:?}: {complained}");
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_and_a_gateway_that_does_not_answer_end_with_1() {
    let folder = TempDir::new().unwrap();
    let (code, _, complained) = texts(&run(folder.path(), &["none.csv", "--dry-run"], "").await);
    assert_eq!(code, Some(1));
    assert!(complained.starts_with("error: none.csv: "), "{complained}");

    let gateway = FakeGateway::start().await;
    gateway.fail(|_| Fault::Status(503, None));
    std::fs::write(folder.path().join("a.csv"), rows(5)).unwrap();
    let url = gateway.url().to_string();
    let arguments = ["a.csv", "--gateway", &url, "--patience", "300ms"];
    let (code, said, complained) = texts(&run(folder.path(), &arguments, TOKEN).await);
    assert_eq!(code, Some(1));
    assert!(said.starts_with("a.csv: not finished\n  interrupted: "), "{said}");
    assert!(complained.contains("did not answer for 300ms"), "{complained}");
    // Nothing of it is lost: the next attempt goes through.
    gateway.heal();
    let (code, ..) = texts(&run(folder.path(), &arguments, TOKEN).await);
    assert_eq!((code, gateway.made().len()), (Some(0), 5));
}
