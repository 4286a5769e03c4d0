//! The platform as a process of its own, with its data in a folder of its own.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long the platform may take to start on a machine that does other things as well.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(120);
/// How long it may take to stop.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(60);
/// How long a count may take to arrive.
pub(crate) const COUNT_LIMIT: Duration = Duration::from_secs(60);
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

/// A folder that PostgreSQL gets into, which root runs as somebody else.
pub(crate) fn folder() -> TempDir {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o711)).tempdir().unwrap()
}

/// A `footfall` that runs, or has run. It is killed when it is dropped.
pub(crate) struct Footfall {
    pub(crate) process: Child,
    pub(crate) data: PathBuf,
    log: PathBuf,
}

impl Footfall {
    /// Starts it with its data in `shop` of the folder, as in README.md, and these flags and variables.
    pub(crate) fn spawn(folder: &Path, flags: &[&str], variables: &[(&str, String)]) -> Self {
        let (data, log) = (folder.join("shop"), folder.join("log"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_footfall"));
        for variable in [
            "DB_HOST",
            "KAFKA_BOOTSTRAP_SERVERS",
            "AWS_ENDPOINT_URL_DYNAMODB",
            "ORDER_EVENTS_QUEUE_URL",
            "AWS_ENDPOINT_URL_S3",
            "FOOTFALL_ADMIN_TOKEN",
            "FOOTFALL_NO_DEMO",
        ] {
            command.env_remove(variable);
        }
        let process = command
            .args(flags)
            .args(["--data", "shop"])
            .current_dir(folder)
            // Each test has notes of its own on what runs.
            .env("XDG_RUNTIME_DIR", folder)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            // As a shell starts it: with a group of its own.
            .process_group(0)
            .spawn()
            .unwrap();
        Footfall { process, data, log }
    }

    /// The same on free ports, without the demo, ready.
    pub(crate) fn start(folder: &Path, variables: &[(&str, String)]) -> Self {
        Self::start_with(folder, &["--no-demo"], variables)
    }

    /// The same on free ports with these flags, ready.
    pub(crate) fn start_with(folder: &Path, flags: &[&str], variables: &[(&str, String)]) -> Self {
        // What a process that was killed has left behind says nothing about this one.
        let _ = fs::remove_file(folder.join("shop/footfall.env"));
        let mut footfall = Footfall::spawn(folder, &[&["--port", "0"], flags].concat(), variables);
        let began = Instant::now();
        while !footfall.data.join("footfall.env").is_file() {
            let ended = footfall.process.try_wait().unwrap();
            assert!(ended.is_none() && began.elapsed() < START_LIMIT, "it does not start:\n{}", footfall.said());
            std::thread::park_timeout(PAUSE);
        }
        footfall
    }

    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn wait_until_said(&mut self, what: &str) {
        let began = Instant::now();
        while !self.said().contains(what) {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none() && began.elapsed() < START_LIMIT, "not said: {what}\n{}", self.said());
            std::thread::park_timeout(PAUSE);
        }
    }

    /// A variable of `footfall.env`.
    pub(crate) fn variable(&self, name: &str) -> String {
        let text = fs::read_to_string(self.data.join("footfall.env")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}="))).unwrap();
        line.trim_matches('\'').to_owned()
    }

    /// Runs lines of shell as a reader would, who has read the file of variables.
    pub(crate) fn shell(&self, lines: &str) -> String {
        let script = format!(". shop/footfall.env\n{lines}");
        let folder = self.data.parent().unwrap();
        let output =
            Command::new("bash").args(["-euo", "pipefail", "-c", &script]).current_dir(folder).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{}\n{lines}\n{out}\n{err}\n{}", output.status, self.said());
        out
    }

    /// Runs another `footfall`, which asks this one; its output, and whether it succeeded.
    pub(crate) fn ask(&self, arguments: &[&str]) -> (bool, String) {
        let asked = Command::new(env!("CARGO_BIN_EXE_footfall"))
            .args(arguments)
            .env_remove("FOOTFALL_DATA")
            .env("XDG_RUNTIME_DIR", self.data.parent().unwrap())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8([asked.stdout, asked.stderr].concat()).unwrap();
        (asked.status.success(), said)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.variable("FOOTFALL_URL"))
    }

    pub(crate) fn signal(&self, name: &str) {
        let process = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &process]).status().unwrap().success());
    }

    /// What a terminal does at Ctrl-C: every process of its group gets the signal.
    pub(crate) fn interrupt_group(&self) {
        let group = format!("-{}", self.process.id());
        assert!(Command::new("kill").args(["-s", "INT", "--", &group]).status().unwrap().success());
    }

    pub(crate) fn wait(&mut self, limit: Duration) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < limit, "it does not end:\n{}", self.said());
            std::thread::park_timeout(PAUSE);
        }
    }

    /// Its child processes: those that it has started and that run.
    pub(crate) fn children(&self) -> Vec<u32> {
        children_of(self.process.id())
    }
}

impl Drop for Footfall {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The processes whose parent this is, by any of its threads.
fn children_of(process: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    let children = threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    children.flat_map(|text| text.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<_>>()).collect()
}

pub(crate) fn runs(process: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    state.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X']))
}
