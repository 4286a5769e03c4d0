//! Starts the processes of a test, and watches them.

use std::io::Write;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use crate::captured::Captured;
use crate::process::{HOSTS, PROCESS, PROCESSES, WORKERS};

/// Far more than anything needs, on a loaded machine too.
const LIMIT: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(5);

/// The processes of a job, before they start.
pub(crate) struct Cluster {
    hosts: NamedTempFile,
    pub(crate) addresses: Vec<String>,
    workers: usize,
}

impl Cluster {
    pub(crate) fn of(processes: usize, workers: usize) -> Self {
        let ports: Vec<_> = (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let addresses: Vec<_> = ports.iter().map(|port| port.local_addr().unwrap().to_string()).collect();
        let mut hosts = NamedTempFile::new().unwrap();
        hosts.write_all(addresses.join("\n").as_bytes()).unwrap();
        Cluster { hosts, addresses, workers }
    }

    /// Starts a process, with variables of its own.
    pub(crate) fn start(&self, process: usize, variables: &[(&str, &str)]) -> Process {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["process::process", "--exact", "--ignored", "--nocapture"]);
        command.env_clear().env(PROCESS, process.to_string()).env(PROCESSES, self.addresses.len().to_string());
        command.env(HOSTS, self.hosts.path()).env(WORKERS, self.workers.to_string());
        command.envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().map(Captured::of);
        let stderr = child.stderr.take().map(Captured::of);
        Process { number: process, child, stdout, stderr }
    }

    /// Starts all processes alike, and waits until they work.
    pub(crate) fn start_all(&self, variables: &[(&str, &str)]) -> Vec<Process> {
        let mut processes: Vec<_> = (0..self.addresses.len()).map(|process| self.start(process, variables)).collect();
        processes.iter_mut().for_each(|process| process.waits_until_says("knows"));
        processes
    }
}

/// A process while it runs.
pub(crate) struct Process {
    pub(crate) number: usize,
    child: Child,
    stdout: Option<Captured>,
    stderr: Option<Captured>,
}

impl Process {
    /// Gives it a line on standard input.
    pub(crate) fn tell(&mut self, line: &str) {
        // One that has ended hears nothing, which the test will notice.
        let _ = self.child.stdin.as_mut().unwrap().write_all(format!("{line}\n").as_bytes());
    }

    pub(crate) fn said(&self) -> String {
        self.stderr.as_ref().map(Captured::text).unwrap_or_default()
    }

    pub(crate) fn waits_until_says(&mut self, what: &str) {
        self.waits_until(what, |said| said.contains(what));
    }

    pub(crate) fn waits_until(&mut self, what: &str, is_so: impl Fn(&str) -> bool) {
        let began = Instant::now();
        while !is_so(&self.said()) {
            let ended = self.child.try_wait().unwrap();
            // What it said last may still be on its way.
            assert!(ended.is_none() || began.elapsed() < LIMIT / 40, "no {what:?}, but {ended:?}:\n{}", self.said());
            assert!(began.elapsed() < LIMIT, "no {what:?} within {LIMIT:?}:\n{}", self.said());
            thread::sleep(POLL);
        }
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end, and returns all that it said.
    pub(crate) fn ends_with(mut self, code: i32) -> String {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < LIMIT, "still runs:\n{}", self.said());
            thread::sleep(POLL);
        };
        let [stdout, said] = [self.stdout.take(), self.stderr.take()].map(|pipe| {
            let bytes = pipe.map(Captured::finish).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        });
        assert_eq!(status.code(), Some(code), "process {}:\n{said}", self.number);
        let is_of_the_test_runner = |line: &str| line.is_empty() || line.starts_with("running 1 test");
        assert!(stdout.lines().all(is_of_the_test_runner), "rows would not be alone on standard output:\n{stdout}");
        said
    }

    /// Waits until it fails with this code, and checks that its last line says why.
    pub(crate) fn fails_with(self, code: i32, why: &str) {
        let number = self.number;
        let said = self.ends_with(code);
        let last = said.lines().next_back().unwrap_or_default();
        assert!(last.starts_with("dataflow: ") && last.contains(why), "process {number}: {why:?} is not said:\n{said}");
        let consequences = ["MergeQueue", "timely communication error", "Send thread panic", "Recv thread panic"];
        assert!(!consequences.iter().any(|what| said.contains(what)), "process {number}:\n{said}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Of a test that has failed; of one that has passed it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
