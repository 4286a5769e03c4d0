//! What README.md and the guides tell a reader to type is typed, against a platform of the test's own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Above the blocks that are run.
const MARK: &str = "<!-- ci: walk -->";
/// The pages, in the order in which somebody reads them.
const PAGES: [&str; 5] = [
    "README.md",
    "docs/guides/authenticate.md",
    "docs/guides/send-events.md",
    "docs/guides/retry-safely.md",
    "docs/guides/page-through-lists.md",
];
/// How long the platform may take to start on a machine that does other things as well.
const START_LIMIT: Duration = Duration::from_secs(120);
/// How long a count may take to arrive.
const COUNT_LIMIT: Duration = Duration::from_secs(60);

/// A platform whose data are in `shop`, as in README.md.
struct Platform {
    process: Child,
    folder: tempfile::TempDir,
}

impl Platform {
    fn start() -> Self {
        // PostgreSQL, which root runs as somebody else, has to get through.
        let others_may_enter = std::fs::Permissions::from_mode(0o711);
        let folder = tempfile::Builder::new().permissions(others_may_enter).tempdir().unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_footfall"))
            .args(["--port", "0", "--data", "shop"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut platform = Platform { process, folder };
        let began = Instant::now();
        while !platform.folder.path().join("shop/footfall.env").is_file() {
            let ended = platform.process.try_wait().unwrap();
            assert!(ended.is_none() && began.elapsed() < START_LIMIT, "it does not start:\n{}", platform.log());
            std::thread::park_timeout(Duration::from_millis(50));
        }
        platform
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Runs lines of shell as a reader would, who has read the file of variables.
    fn shell(&self, lines: &str) -> String {
        let script = format!(". shop/footfall.env\n{lines}");
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &script])
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{}\n{lines}\n{out}\n{err}\n{}", output.status, self.log());
        out
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        let id = self.process.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        let _ = self.process.wait();
    }
}

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
    let platform = Platform::start();
    let mut outputs = Vec::new();
    for page in PAGES {
        let lines: Vec<String> = blocks(page);
        outputs.push(lines.iter().map(|lines| platform.shell(lines)).collect::<Vec<_>>());
    }
    let [readme, _, events, retries, lists] = outputs.try_into().unwrap();

    // README.md: the same product twice, by the same key.
    let made: Vec<&str> = readme[0].lines().filter(|line| line.starts_with('{')).collect();
    assert_eq!(made.len(), 2, "{readme:?}");
    assert_eq!(made[0], made[1]);
    // Three users, one of them twice.
    let began = Instant::now();
    loop {
        let page: Value =
            serde_json::from_str(&platform.shell(r#"curl -sS "$FOOTFALL_URL/analytics/products/1/windows""#)).unwrap();
        if page["items"][0]["unique_user_count"] == 2 {
            assert_eq!(page["freshness"]["stale"], false);
            break;
        }
        assert!(began.elapsed() < COUNT_LIMIT, "{page}\n{}", platform.log());
        std::thread::park_timeout(Duration::from_millis(50));
    }

    // send-events.md: the answer is the one on the page.
    let receipt: Value = serde_json::from_str(&events[0]).unwrap();
    let page = std::fs::read_to_string(root().join("docs/guides/send-events.md")).unwrap();
    let shown = page.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(receipt, serde_json::from_str::<Value>(shown).unwrap());

    // retry-safely.md: once made, once replayed; then changed under its version.
    let replayed = retries[0].lines().filter(|line| line.trim_end().eq_ignore_ascii_case("idempotency-replayed: true"));
    assert_eq!(replayed.count(), 1, "{}", retries[0]);
    assert!(retries[1].contains(r#""price":"79.00""#), "{}", retries[1]);

    // page-through-lists.md
    assert!(serde_json::from_str::<Value>(&lists[0]).unwrap()["items"].is_array());
    assert!(lists[1].starts_with("product_id,window_start,"), "{}", lists[1]);
}
