//! The `dataflow` program as a child process.

use std::io::{BufRead, BufReader, Read};
use std::process::{self, Child, ChildStderr, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::broker::Broker;

/// No run of these tests takes nearly as long.
const TIME_LIMIT: Duration = Duration::from_secs(90);

/// The program with these arguments, and the broker's address in its environment.
pub(crate) fn dataflow(broker: &Broker, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dataflow"));
    command.env("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap()).args(arguments).stdin(Stdio::null());
    // One job has a group; tests run side by side. A test that starts a job again names the group itself.
    static NEXT_GROUP: AtomicU32 = AtomicU32::new(0);
    command.env("FOOTFALL_GROUP", format!("test-{}-{}", process::id(), NEXT_GROUP.fetch_add(1, Ordering::Relaxed)));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the program to its end.
///
/// # Panics
/// When it takes too long.
pub(crate) fn finish(command: &mut Command) -> Output {
    let mut child = command.spawn().unwrap();
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    // Both pipes are read while it runs: a full one would hold it up.
    let stdout = std::thread::spawn(move || read_all(&mut stdout));
    let stderr = std::thread::spawn(move || read_all(&mut stderr));
    let status = wait(&mut child, TIME_LIMIT);
    Output { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

fn read_all(pipe: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    pipe.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Waits for the end of a child.
///
/// # Panics
/// When the limit passes first; the child is killed.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> process::ExitStatus {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() >= deadline {
            child.kill().unwrap();
            panic!("the program did not end within {limit:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sends a signal such as `INT`.
pub(crate) fn signal(child: &Child, name: &str) {
    let killed = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status().unwrap();
    assert!(killed.success());
}

/// The lines that a child writes to standard error, until one contains `text`.
pub(crate) fn lines_until(stderr: &mut BufReader<ChildStderr>, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "{text:?} never came: {lines:?}");
        let is_found = line.contains(text);
        lines.push(line);
        if is_found {
            return lines;
        }
    }
}
