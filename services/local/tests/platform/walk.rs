//! What README.md and the guides tell a reader to type is typed, against a platform of the test's own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::harness::{COUNT_LIMIT, Footfall, PAUSE, folder};

/// Above the blocks that are run.
const MARK: &str = "<!-- ci: walk -->";
/// The pages, in the order in which somebody reads them.
const PAGES: [&str; 8] = [
    "README.md",
    "docs/guides/authenticate.md",
    "docs/guides/send-events.md",
    "docs/guides/follow-live-counts.md",
    "docs/guides/retry-safely.md",
    "docs/guides/page-through-lists.md",
    "docs/guides/place-an-order.md",
    "docs/guides/import-products.md",
];
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The `sh` blocks of a page below the mark.
fn blocks(page: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(page)).unwrap();
    let mut blocks = Vec::new();
    for part in text.split(MARK).skip(1) {
        let block =
            part.trim_start().strip_prefix("```sh\n").unwrap_or_else(|| panic!("{page}: no sh block below {MARK}"));
        blocks.push(block.split("```").next().unwrap().to_owned());
    }
    assert!(!blocks.is_empty(), "{page} has no block to run");
    blocks
}

#[test]
fn cargo_run_starts_the_platform() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let local = packages.iter().find(|package| package["name"] == env!("CARGO_PKG_NAME")).unwrap();
    assert_eq!(metadata["workspace_default_members"].as_array().unwrap(), &[local["id"].clone()]);
    let targets = local["targets"].as_array().unwrap();
    let programs: Vec<_> =
        targets.iter().filter(|target| target["kind"][0] == "bin").map(|target| &target["name"]).collect();
    assert_eq!(programs, ["footfall"]);
}

#[test]
fn what_the_readme_and_the_guides_say_works() {
    let folder = folder();
    let platform = Footfall::start(folder.path(), &[]);
    // The reader is in the project's folder, which has the template.
    std::os::unix::fs::symlink(root().join("docs").canonicalize().unwrap(), folder.path().join("docs")).unwrap();
    let mut outputs = Vec::new();
    for page in PAGES {
        let lines: Vec<String> = blocks(page);
        outputs.push(lines.iter().map(|lines| platform.shell(lines)).collect::<Vec<_>>());
    }
    let [readme, _, events, live, retries, lists, orders, import] = outputs.try_into().unwrap();

    // README.md: the same product twice, by the same key.
    let made: Vec<&str> = readme[0].lines().filter(|line| line.starts_with('{')).collect();
    assert_eq!(made.len(), 2, "{readme:?}");
    assert_eq!(made[0], made[1]);
    // Three users, one of them twice.
    let began = Instant::now();
    loop {
        let page: Value = serde_json::from_str(&platform.shell(&blocks("README.md")[2])).unwrap();
        if page["items"][0]["unique_user_count"] == 2 {
            assert_eq!(page["freshness"]["stale"], false);
            break;
        }
        assert!(began.elapsed() < COUNT_LIMIT, "{page}\n{}", platform.said());
        std::thread::park_timeout(PAUSE);
    }

    // send-events.md: the answer is the one on the page.
    let receipt: Value = serde_json::from_str(&events[0]).unwrap();
    let page = std::fs::read_to_string(root().join("docs/guides/send-events.md")).unwrap();
    let shown = page.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(receipt, serde_json::from_str::<Value>(shown).unwrap());

    // follow-live-counts.md: who leads, and a stream that says how fresh counts are.
    let top: Value = serde_json::from_str(&live[0]).unwrap();
    assert!(top["freshness"]["stale"].is_boolean() && top["unavailable"].is_array(), "{top}");
    assert!(live[1].starts_with("retry: 2000\n\n") && live[1].contains("event: watermark\n"), "{}", live[1]);

    // retry-safely.md: once made, once replayed; then changed under its version.
    let replayed = retries[0].lines().filter(|line| line.trim_end().eq_ignore_ascii_case("idempotency-replayed: true"));
    assert_eq!(replayed.count(), 1, "{}", retries[0]);
    assert!(retries[1].contains(r#""price":"79.00""#), "{}", retries[1]);

    // page-through-lists.md
    assert!(serde_json::from_str::<Value>(&lists[0]).unwrap()["items"].is_array());
    assert!(lists[1].starts_with("product_id,window_start,"), "{}", lists[1]);

    // place-an-order.md: confirmed, shown with its parts, cancelled, and its pieces come back.
    let order: Value = serde_json::from_str(&orders[1]).unwrap();
    assert_eq!((&order["status"], &order["total_price"]), (&"CONFIRMED".into(), &"99.80".into()), "{order}");
    let answers: Vec<Value> = orders[2].lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&answers[0]["customer"]["name"], &answers[0]["product"]["name"]), (&"Ada".into(), &"Chair".into()));
    assert_eq!(answers[1]["status"], "CANCELLED");
    let began = Instant::now();
    let product = format!(r#"curl -sS "$FOOTFALL_URL/products/{}""#, order["product_id"].as_str().unwrap());
    while serde_json::from_str::<Value>(&platform.shell(&product)).unwrap()["stock_quantity"] != 3 {
        assert!(began.elapsed() < COUNT_LIMIT, "{}", platform.said());
        std::thread::park_timeout(PAUSE);
    }

    // import-products.md: every row of the template makes a product.
    let report: Value = serde_json::from_str(&import[0]).unwrap();
    assert_eq!((&report["status"], &report["rows"]["failed"]), (&"finished".into(), &0.into()), "{report}");
    assert_eq!(report["rows"]["created"], 4);
}
