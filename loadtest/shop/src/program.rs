//! A service as a process of its own, which keeps its port when it is started again.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kit::{Trouble, processes};
use reqwest::Client;

/// How long a program may take to be ready.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long it may take to end: the drain of a service, and some.
const STOP_LIMIT: Duration = Duration::from_secs(40);
/// How often it is asked.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// How a program is ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// It is asked to, and lets requests in work end.
    Asked,
    /// At once.
    Killed,
}

/// A program that runs.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    program: PathBuf,
    flags: Vec<String>,
    log: PathBuf,
    /// Where it is asked whether it is ready.
    ready_url: String,
    /// Where it serves.
    pub(crate) url: String,
    child: Option<Child>,
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> Result<u16, Trouble> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

impl Program {
    /// A service of the kit, started and ready.
    pub(crate) async fn service(
        name: &'static str,
        programs: &Path,
        logs: &Path,
        flags: &[(&str, &str)],
    ) -> Result<Self, Trouble> {
        let url = format!("http://127.0.0.1:{}", free_port()?);
        let listen = ("--listen-addr", url.trim_start_matches("http://"));
        let flags = flags.iter().chain([&listen]).map(|(flag, value)| format!("{flag}={value}")).collect();
        let ready_url = format!("{url}/readyz");
        Self::start_new(name, programs, logs, flags, url, ready_url).await
    }

    /// The dataflow job, started and ready.
    pub(crate) async fn job(programs: &Path, logs: &Path, flags: &[&str]) -> Result<Self, Trouble> {
        let admin = format!("127.0.0.1:{}", free_port()?);
        let mut flags: Vec<String> = flags.iter().copied().map(str::to_owned).collect();
        flags.extend(["--admin-addr".to_owned(), admin.clone()]);
        let ready_url = format!("http://{admin}/readyz");
        Self::start_new("dataflow", programs, logs, flags, String::new(), ready_url).await
    }

    async fn start_new(
        name: &'static str,
        programs: &Path,
        logs: &Path,
        flags: Vec<String>,
        url: String,
        ready_url: String,
    ) -> Result<Self, Trouble> {
        let (program, log) = (programs.join(name), logs.join(format!("{name}.log")));
        let mut program = Program { name, program, flags, log, ready_url, url, child: None };
        program.start().await?;
        Ok(program)
    }

    async fn start(&mut self) -> Result<(), Trouble> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let child = Command::new(&self.program)
            .args(&self.flags)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(|error| format!("cannot run {}: {error}", self.program.display()))?;
        let child = self.child.insert(child);
        let (client, began) = (Client::new(), Instant::now());
        while !client.get(&self.ready_url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            if let Some(status) = child.try_wait()? {
                return Err(format!("{} ended with {status}; see {}", self.name, self.log.display()).into());
            }
            if began.elapsed() > START_LIMIT {
                return Err(format!("{} is not ready; see {}", self.name, self.log.display()).into());
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
        Ok(())
    }

    /// Ends the program and waits until it is gone.
    pub(crate) async fn end(&mut self, how: End) -> Result<(), Trouble> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let signal = match how {
            End::Asked => "TERM",
            End::Killed => "KILL",
        };
        processes::signal(child.id(), signal);
        let began = Instant::now();
        loop {
            match child.try_wait()? {
                Some(status) if status.success() || matches!(how, End::Killed) => return Ok(()),
                Some(status) => {
                    return Err(format!("{} ended with {status}; see {}", self.name, self.log.display()).into());
                }
                None if began.elapsed() > STOP_LIMIT => return Err(format!("{} does not end", self.name).into()),
                None => tokio::time::sleep(ASK_EVERY).await,
            }
        }
    }

    /// Ends the program and starts it again on the same port; returns for how long it was away.
    pub(crate) async fn restart(&mut self, how: End) -> Result<Duration, Trouble> {
        let began = Instant::now();
        self.end(how).await?;
        self.start().await?;
        Ok(began.elapsed())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
