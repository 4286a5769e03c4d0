//! The scripts for k6 still fit the API: a few iterations of each under Node.js, against the whole platform.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::{Footfall, folder};

/// The exit code of the script where Node.js is missing.
const UNAVAILABLE: i32 = 69;

#[test]
fn the_scripts_for_k6_fit_the_api() {
    let folder = folder();
    let platform = Footfall::start(folder.path(), &[]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../loadtest/k6/check");
    let checked = Command::new(script)
        .arg("--data")
        .arg(&platform.data)
        .env("THINK_SECONDS", "0")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned();
    if checked.status.code() == Some(UNAVAILABLE) {
        // Past the test harness, which keeps the output of passing tests to itself.
        drop(writeln!(std::io::stderr(), "left out: the scripts for k6 ({})", said.trim()));
        return;
    }
    assert!(checked.status.success(), "{said}\n{}", platform.said());
}
