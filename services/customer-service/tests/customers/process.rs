//! The service as a process, which can be killed.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::harness::Api;
use crate::world::{World, wait_until};

/// A process and what it has logged.
pub(crate) struct Process {
    child: Child,
    reader: Option<JoinHandle<()>>,
    lines: Arc<Mutex<Vec<String>>>,
    pub(crate) api: Api,
}

impl Process {
    /// A process that is ready.
    pub(crate) async fn start(world: &World, flags: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_customer-service"));
        command.env_clear().args(["--listen-addr", "127.0.0.1:0"]).args(world.flags()).args(flags);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let (lines, output) = (Arc::new(Mutex::new(Vec::new())), BufReader::new(child.stderr.take().unwrap()));
        let logged = Arc::clone(&lines);
        let reader = std::thread::spawn(move || {
            for line in output.lines() {
                logged.lock().unwrap().push(line.unwrap());
            }
        });
        wait_until("the process serves", async || address(&lines.lock().unwrap()).is_some()).await;
        let base = format!("http://{}", address(&lines.lock().unwrap()).unwrap());
        let process = Process { child, reader: Some(reader), lines, api: Api::at(base) };
        process.api.wait_until_ready().await;
        process
    }

    /// Ends it at once, as `kill -9` does, and returns all that it has logged.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        std::mem::take(&mut self.lines.lock().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have been killed before.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Where it says that it serves.
fn address(lines: &[String]) -> Option<String> {
    let line = lines.iter().find(|line| line.contains("\"serving\""))?;
    let line: Value = serde_json::from_str(line).unwrap();
    line["address"].as_str().map(str::to_owned)
}
