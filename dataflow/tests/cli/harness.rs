//! Runs the program and watches it: no test waits for ever, and none leaves a process behind.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::captured::Captured;

/// Far more than any run needs, on a loaded machine too.
pub(crate) const LIMIT: Duration = Duration::from_secs(40);
/// Within this an interrupted program has ended.
pub(crate) const INTERRUPT_LIMIT: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(5);

/// A folder of a test's own, in which its programs run.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Place(tempfile::tempdir().expect("a temporary folder"))
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).expect("the folder takes files");
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("cannot read {name}: {error}"))
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).expect("the file is text")
    }

    pub(crate) fn folder(&self, name: &str) {
        fs::create_dir_all(self.path(name)).expect("the folder takes folders");
    }

    /// The names in a folder, hidden ones included, in order.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).expect("the folder can be listed");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Asserts that no output is left half written.
    pub(crate) fn has_no_partial_files(&self) {
        let left: Vec<_> = self.names(".").into_iter().filter(|name| name.ends_with(".partial")).collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }

    /// The program, to be run here.
    pub(crate) fn dataflow<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dataflow"));
        command.args(args).current_dir(self.0.path()).env_clear().stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Program(command)
    }

    /// Runs `dataflow replay --source SOURCE` with more flags, to its end.
    pub(crate) fn replay(&self, source: &str, flags: &[&str]) -> Ended {
        self.dataflow(["replay", "--source", source].iter().chain(flags)).run()
    }

    /// Makes a named pipe.
    pub(crate) fn named_pipe(&self, name: &str) {
        let made = Command::new("mkfifo").arg(self.path(name)).status().expect("mkfifo is there");
        assert!(made.success());
    }
}

/// The program before it starts.
pub(crate) struct Program(Command);

impl Program {
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    pub(crate) fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.0.stdin(stdin);
        self
    }

    pub(crate) fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.0.stdout(stdout);
        self
    }

    pub(crate) fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.0.stderr(stderr);
        self
    }

    pub(crate) fn start(mut self) -> Running {
        let mut child = self.0.spawn().expect("the program starts");
        let stdout = child.stdout.take().map(Captured::of);
        let stderr = child.stderr.take().map(Captured::of);
        let stdin = child.stdin.take();
        Running { child, stdin, stdout, stderr }
    }

    pub(crate) fn run(self) -> Ended {
        self.start().wait(LIMIT)
    }

    /// Runs with `input` on standard input.
    pub(crate) fn run_with_input(self, input: impl Into<Vec<u8>>) -> Ended {
        let input = input.into();
        let mut running = self.stdin(Stdio::piped()).start();
        let mut stdin = running.take_stdin();
        // A program that ends early reads no more, which is not for this thread to judge.
        let writer = thread::spawn(move || drop(stdin.write_all(&input)));
        let ended = running.wait(LIMIT);
        writer.join().expect("the writer ends");
        ended
    }
}

/// The program while it runs.
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Option<Captured>,
    stderr: Option<Captured>,
}

impl Running {
    pub(crate) fn take_stdin(&mut self) -> ChildStdin {
        self.stdin.take().expect("standard input is a pipe")
    }

    pub(crate) fn stdout_so_far(&self) -> String {
        self.stdout.as_ref().map(Captured::text).unwrap_or_default()
    }

    pub(crate) fn stderr_so_far(&self) -> String {
        self.stderr.as_ref().map(Captured::text).unwrap_or_default()
    }

    /// Waits until `is_so` of the running program.
    pub(crate) fn wait_until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            let ended = self.child.try_wait().expect("the child can be waited for");
            assert!(ended.is_none(), "ended before {what}: {ended:?}\n{}", self.stderr_so_far());
            assert!(began.elapsed() < LIMIT, "no {what} within {LIMIT:?}\n{}", self.stderr_so_far());
            thread::sleep(POLL);
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal: `INT`, `TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args(["-s", signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill is there").success());
    }

    /// The most memory that it has had, in MiB.
    pub(crate) fn most_memory_mib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        // A process that is ending has no memory left to tell of.
        kib.unwrap_or(0) / 1024
    }

    pub(crate) fn wait(mut self, limit: Duration) -> Ended {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the child can be waited for") {
                break status;
            }
            assert!(began.elapsed() < limit, "still runs after {limit:?}\n{}", self.stderr_so_far());
            thread::sleep(POLL);
        };
        let stdout = self.stdout.take().map(Captured::finish).unwrap_or_default();
        let stderr = self.stderr.take().map(Captured::finish).unwrap_or_default();
        let ended = Ended { status, stdout, stderr: String::from_utf8(stderr).expect("sentences are UTF-8") };
        ended.is_well_behaved();
        ended
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Of a test that has failed; one that has passed has waited for its end.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// How the program ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ended {
    /// What holds for every run.
    fn is_well_behaved(&self) {
        assert!(!self.stderr.contains("panicked"), "panicked:\n{}", self.stderr);
        assert!(!self.stderr.contains('\u{1b}'), "control codes without a terminal:\n{}", self.stderr);
        assert!(!self.stderr.contains('\r'), "a progress bar without a terminal:\n{}", self.stderr);
        assert_ne!(self.status.code(), Some(101), "{}", self.stderr);
    }

    pub(crate) fn stdout(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("rows are UTF-8")
    }

    /// Asserts success.
    pub(crate) fn succeeds(self) -> Self {
        assert_eq!(self.status.code(), Some(0), "{}", self.stderr);
        self
    }

    /// Asserts that it failed with this exit code, and that its last word is one sentence that says `part`.
    pub(crate) fn fails(self, code: i32, part: &str) -> Self {
        assert_eq!(self.status.code(), Some(code), "{}", self.stderr);
        let is_sentence = |line: &&str| line.starts_with("dataflow: ") || line.starts_with("error: ");
        let sentences: Vec<_> = self.stderr.lines().filter(is_sentence).collect();
        assert_eq!(sentences.len(), 1, "not one sentence:\n{}", self.stderr);
        assert!(sentences[0].contains(part), "{part:?} is not said:\n{}", self.stderr);
        assert!(!sentences[0].contains(".partial"), "names a file that the user does not know:\n{}", self.stderr);
        self
    }

    /// The figure of a line of the closing summary.
    pub(crate) fn total(&self, label: &str) -> u64 {
        let line = self.stderr.lines().find(|line| line.trim_start().starts_with(label) && line.starts_with(' '));
        let line = line.unwrap_or_else(|| panic!("no {label} in the summary:\n{}", self.stderr));
        let figure = line.trim_start()[label.len()..].split_whitespace().next().expect("a figure");
        figure.replace(',', "").parse().expect("a number")
    }

    /// Asserts these totals of the summary, and that they balance.
    pub(crate) fn balances(self, counted: u64, late: u64, rejected: u64, filtered: u64) -> Self {
        let totals = ["received", "counted", "late", "rejected", "filtered"].map(|label| self.total(label));
        let received = counted + late + rejected + filtered;
        assert_eq!(totals, [received, counted, late, rejected, filtered], "{}", self.stderr);
        self
    }
}
