//! How a supervisor starts the processes of its job: this program, with flags of their own.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::getppid;
use tempfile::NamedTempFile;

use crate::error::Error;

/// Tells a process which one has started it.
const SUPERVISOR: &str = "FOOTFALL_SUPERVISOR_PID";
/// The flags that processes do not have from their supervisor, and the variables of these.
const PROCESSES: &str = "--processes";
const PROCESSES_VARIABLE: &str = "FOOTFALL_PROCESSES";
const ADMIN_ADDR: &str = "--admin-addr";

/// What every process is started with.
#[derive(Debug)]
pub(super) struct CommandLine {
    program: PathBuf,
    arguments: Vec<OsString>,
    processes: usize,
    /// Where each process serves its metrics, where that is a fixed place.
    admin_addrs: Vec<SocketAddr>,
}

impl CommandLine {
    /// That of this program.
    ///
    /// # Errors
    /// [`Error::Usage`] when there are not enough ports after that of the metrics.
    pub(super) fn of_this_program(processes: usize, admin_addr: Option<SocketAddr>) -> Result<Self, Error> {
        let program = std::env::current_exe()
            .map_err(|error| Error::Internal(format!("cannot find this program to start it: {error}")))?;
        let admin_addrs = match admin_addr {
            Some(first) if first.port() != 0 => consecutive(first, processes)?,
            _ => Vec::new(),
        };
        let arguments = without(std::env::args_os().skip(1), PROCESSES);
        let arguments = if admin_addrs.is_empty() { arguments } else { without(arguments, ADMIN_ADDR) };
        Ok(CommandLine { program, arguments, processes, admin_addrs })
    }

    /// How many processes there are.
    pub(super) const fn processes(&self) -> usize {
        self.processes
    }

    /// A file with an address for each process, on ports that are free now; none for one process.
    pub(super) fn hosts(&self) -> Result<Option<NamedTempFile>, Error> {
        if self.processes == 1 {
            return Ok(None);
        }
        let write = || {
            // All at the same time, so that they differ.
            let ports = (0..self.processes).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
            let ports = ports.collect::<Result<Vec<_>, _>>()?;
            let mut file = tempfile::Builder::new().prefix("footfall-hosts-").tempfile()?;
            for port in &ports {
                writeln!(file, "{}", port.local_addr()?)?;
            }
            file.flush()?;
            Ok(file)
        };
        write().map(Some).map_err(|error: std::io::Error| {
            Error::Unavailable(format!("cannot find ports for the processes: {error}"))
        })
    }

    /// What starts a process.
    pub(super) fn process(&self, process: usize, hosts: Option<&Path>) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_remove(PROCESSES_VARIABLE).env(SUPERVISOR, std::process::id().to_string());
        if let Some(hosts) = hosts {
            command.arg("--cluster-processes").arg(self.processes.to_string());
            command.arg("--process").arg(process.to_string()).arg("--hosts").arg(hosts);
        }
        if let Some(address) = self.admin_addrs.get(process) {
            command.arg(ADMIN_ADDR).arg(address.to_string());
        }
        // A Ctrl-C in a terminal reaches the whole group of the supervisor, which then passes it on: without a group of
        // their own, processes would have it twice, and end at once.
        command.process_group(0);
        command
    }
}

fn consecutive(first: SocketAddr, count: usize) -> Result<Vec<SocketAddr>, Error> {
    let ports: Vec<u16> = (first.port()..=u16::MAX).take(count).collect();
    if ports.len() < count {
        return Err(Error::Usage(format!(
            "{ADMIN_ADDR} is {first}, and the {count} processes need as many ports from there on; use a lower port, or 0"
        )));
    }
    Ok(ports.into_iter().map(|port| SocketAddr::new(first.ip(), port)).collect())
}

/// The arguments without a flag and its value.
fn without(arguments: impl IntoIterator<Item = OsString>, flag: &str) -> Vec<OsString> {
    let with_value = format!("{flag}=");
    let mut arguments = arguments.into_iter();
    let mut kept = Vec::new();
    while let Some(argument) = arguments.next() {
        if argument == OsStr::new(flag) {
            arguments.next();
        } else if !argument.as_bytes().starts_with(with_value.as_bytes()) {
            kept.push(argument);
        }
    }
    kept
}

/// Makes this process end when the supervisor that has started it does, however that ends.
pub(in crate::cli) fn end_with_supervisor() {
    let Ok(supervisor) = std::env::var(SUPERVISOR) else { return };
    // Elsewhere a process of a supervisor that was killed goes on.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    // It may have ended before this was arranged.
    let parent = getppid().map(|parent| parent.as_raw_nonzero().to_string());
    if parent.as_deref() != Some(supervisor.as_str()) {
        std::process::exit(Error::Restart(String::new()).exit_code().into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn a_flag_is_left_out_with_its_value() {
        for text in ["run --processes 3 -w 2", "run --processes=3 -w 2", "run -w 2 --processes 3"] {
            assert_eq!(without(arguments(text), PROCESSES), arguments("run -w 2"));
        }
        let others = arguments("run --cluster-processes 3 --process 1");
        assert_eq!(without(others.clone(), PROCESSES), others);
    }

    #[test]
    fn each_process_has_the_next_port_for_its_metrics() {
        let addresses = consecutive("127.0.0.1:9600".parse().unwrap(), 2).unwrap();
        assert_eq!(addresses, ["127.0.0.1:9600".parse().unwrap(), "127.0.0.1:9601".parse().unwrap()]);
        assert_eq!(consecutive("127.0.0.1:65535".parse().unwrap(), 2).unwrap_err().exit_code(), 64);
    }
}
