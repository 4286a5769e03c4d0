//! The flags that tell a process which one of how many it is, and where the others are.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::RangedU64ValueParser;

use crate::error::Error;

/// Every process has a connection to every other, and every worker a channel to every other.
pub(crate) const MAX_PROCESSES: u64 = 64;
/// Without a file of addresses the processes are on this machine, from this port on.
const FIRST_LOCAL_PORT: usize = 2101;

/// Several processes that run one job. The doc comments are the reference manual: `--help` shows them.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Several processes")]
pub struct ClusterArgs {
    /// How many processes run the job together; each is started by hand with its own number.
    #[arg(short = 'n', long, env = "FOOTFALL_CLUSTER_PROCESSES", value_name = "N", default_value_t = 1,
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=MAX_PROCESSES))]
    pub cluster_processes: usize,

    /// Which of them this is, from 0.
    #[arg(short, long, env = "FOOTFALL_PROCESS", value_name = "I", default_value_t = 0)]
    pub process: usize,

    /// A file with the address of each process, a line of HOST:PORT each, in the order of their numbers; blank lines
    /// and lines that begin with # do not count [default: ports 2101, 2102 and so on of this machine]. Connections are
    /// not encrypted: use a private network.
    #[arg(long, env = "FOOTFALL_HOSTS", value_name = "FILE")]
    pub hosts: Option<PathBuf>,
}

/// The processes of a job, and which of them this one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members {
    /// The number of this process.
    pub process: usize,
    /// The addresses of all, by number; one of a job of one process is never used.
    pub addresses: Vec<String>,
}

impl Members {
    /// A job of one process.
    #[must_use]
    pub fn alone() -> Self {
        Members { process: 0, addresses: vec![local_address(0)] }
    }

    /// How many processes there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.addresses.len()
    }

    /// Whether this is the only process.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.count() == 1
    }
}

impl ClusterArgs {
    /// Who takes part in the job.
    ///
    /// # Errors
    /// [`Error::Usage`] when the number of this process, or the file of addresses, does not fit the number of processes.
    pub fn members(&self) -> Result<Members, Error> {
        let (count, process) = (self.cluster_processes, self.process);
        if process >= count {
            let last = count - 1;
            return Err(Error::Usage(format!(
                "--process is {process} but there are {count} processes, numbered from 0 to {last}; use one of these, or \
                 set --cluster-processes"
            )));
        }
        let addresses = match &self.hosts {
            Some(path) if count > 1 => read_addresses(path, count)?,
            _ => (0..count).map(local_address).collect(),
        };
        Ok(Members { process, addresses })
    }
}

fn local_address(process: usize) -> String {
    format!("localhost:{}", FIRST_LOCAL_PORT + process)
}

fn read_addresses(path: &Path, count: usize) -> Result<Vec<String>, Error> {
    let file = path.display();
    let text = fs::read_to_string(path)
        .map_err(|error| Error::Usage(format!("cannot read the addresses in {file}: {error}; correct --hosts")))?;
    let mut addresses: Vec<String> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if !is_address(line) {
            return Err(Error::Usage(format!("line {number} of {file} is {line:?}; write HOST:PORT")));
        }
        if addresses.iter().any(|address| address == line) {
            return Err(Error::Usage(format!(
                "line {number} of {file} repeats the address {line}; give every process one of its own"
            )));
        }
        addresses.push(line.to_owned());
    }
    if addresses.len() == count {
        return Ok(addresses);
    }
    let found = addresses.len();
    Err(Error::Usage(format!(
        "{file} holds the addresses of {found} processes but --cluster-processes is {count}; write a line for each process"
    )))
}

fn is_address(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        let is_bracketed = host.starts_with('[') && host.ends_with(']');
        let is_host = !host.is_empty() && (is_bracketed || !host.contains(':')) && !host.contains(char::is_whitespace);
        is_host && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(count: usize, process: usize, hosts: Option<&str>) -> Result<Members, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = hosts.map(|text| {
            let path = folder.path().join("hosts");
            fs::write(&path, text).unwrap();
            path
        });
        let args = ClusterArgs { cluster_processes: count, process, hosts: path };
        args.members().map_err(|error| {
            assert_eq!(error.exit_code(), 64);
            error.to_string()
        })
    }

    #[test]
    fn without_a_file_the_processes_are_on_this_machine() {
        assert_eq!(members(1, 0, None), Ok(Members::alone()));
        assert_eq!(members(2, 1, None).unwrap().addresses, ["localhost:2101", "localhost:2102"]);
    }

    #[test]
    fn blank_lines_and_comments_are_no_addresses() {
        let hosts = "# two machines\n\nalpha:2101\r\n  # the other\n  [::1]:2102  \n";
        let addresses = vec!["alpha:2101".to_owned(), "[::1]:2102".to_owned()];
        assert_eq!(members(2, 1, Some(hosts)), Ok(Members { process: 1, addresses }));
    }

    #[test]
    fn a_process_that_is_none_of_them_is_refused() {
        let error = members(2, 2, None).unwrap_err();
        assert!(error.contains("--process is 2 but there are 2 processes, numbered from 0 to 1"), "{error}");
    }

    #[test]
    fn every_process_needs_exactly_one_address_of_its_own() {
        for (hosts, found) in [("a:1", "1 processes"), ("a:1\nb:1\nc:1", "3 processes"), ("", "0 processes")] {
            let error = members(2, 0, Some(hosts)).unwrap_err();
            assert!(error.contains(found) && error.contains("--cluster-processes is 2"), "{error}");
        }
        let error = members(2, 0, Some("a:1\na:1")).unwrap_err();
        assert!(error.contains("line 2") && error.contains("repeats the address a:1"), "{error}");
    }

    #[test]
    fn a_line_that_is_no_address_is_named() {
        for line in ["alpha", "alpha:", ":2101", "alpha:0", "alpha:65536", "alpha:+1", "a b:1", "::1:2101"] {
            let error = members(2, 0, Some(&format!("a:1\n{line}\n"))).unwrap_err();
            assert!(error.contains(&format!("{line:?}; write HOST:PORT")) && error.contains("line 2"), "{error}");
        }
    }
}
