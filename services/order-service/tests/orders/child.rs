//! The service as a program, which can be killed.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;

use kit::processes;
use tokio::sync::oneshot;

use crate::harness::wait_until_ready;

/// A running program. It does not live longer than this.
pub(crate) struct Program {
    child: Child,
    pub(crate) url: String,
}

impl Program {
    /// A program that is ready.
    pub(crate) async fn start(flags: &[String]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_order-service"));
        command.env_clear().args(["--listen-addr", "127.0.0.1:0", "--log-format", "json"]).args(flags);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (said, address) = oneshot::channel();
        let log = child.stderr.take().unwrap();
        thread::spawn(move || read(log, said));
        let url = format!("http://{}", address.await.unwrap());
        wait_until_ready(&url).await;
        Program { child, url }
    }

    /// Ends it at once, wherever it is.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and waits until it has; returns its exit code.
    pub(crate) async fn terminate(mut self) -> Option<i32> {
        processes::signal(self.child.id(), "TERM");
        tokio::task::spawn_blocking(move || self.child.wait().unwrap().code()).await.unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the log to its end, and tells the address that the program says it listens on.
fn read(log: ChildStderr, said: oneshot::Sender<String>) {
    let mut said = Some(said);
    for line in BufReader::new(log).lines().map_while(Result::ok) {
        let line: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        if let Some(address) = line["address"].as_str()
            && let Some(said) = said.take()
        {
            said.send(address.to_owned()).unwrap();
        }
    }
}
