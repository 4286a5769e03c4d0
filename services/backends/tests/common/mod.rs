//! What the tests of all backends stand on.

// Each test program uses a part of it.
#![allow(dead_code)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The variable that tells a child process which folder is its own.
const FOLDER: &str = "BACKENDS_TEST_FOLDER";
/// What the child writes when it has done what it is for.
const READY: &str = "ready: ";

/// A folder that the server's user may enter too.
pub(crate) fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
    folder
}

/// A port on which somebody else listens, and who that is.
pub(crate) fn taken_port() -> (u16, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    (listener.local_addr().unwrap().port(), listener)
}

/// This test program once more, as a process that can be killed; it runs the ignored test of this name.
pub(crate) fn start_child(test: &str, folder: &Path) -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said = lines.map_while(Result::ok).find_map(|line| Some(line.split_once(READY)?.1.to_owned()));
    (child, said.expect("the child ends before it is ready"))
}

/// The folder of this child.
pub(crate) fn child_folder() -> std::path::PathBuf {
    std::env::var_os(FOLDER).expect("this is a child of another test").into()
}

/// Tells the parent, and waits to be killed.
pub(crate) async fn ready(said: impl std::fmt::Display) {
    println!("\n{READY}{said}");
    std::future::pending::<()>().await;
}

/// Kills the process as `kill -9` does.
pub(crate) fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Whether the process runs. One that has ended and is not waited for does not.
pub(crate) fn runs(process: i32) -> bool {
    let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    state.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X']))
}

/// Asks again and again until it is so.
pub(crate) async fn eventually(limit: Duration, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !is_so().await {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
