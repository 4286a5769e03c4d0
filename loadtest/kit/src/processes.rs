//! Signals, and who is whose child.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal as signals};

use crate::Trouble;

/// The exit code of an interrupted program.
const INTERRUPTED: i32 = 130;

/// The process groups that were started and may still live; all of them end with this process.
static GROUPS: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Remembers a process group that [`kill_all`] has to end.
pub fn register(group: u32) {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner).push(group);
}

/// Kills every process group that was started.
pub fn kill_all() {
    for group in GROUPS.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        signal_group(group, "KILL");
    }
}

/// Ends every process group, removes a folder and exits, when this process is interrupted or asked to end: children are
/// in groups of their own, which Ctrl-C does not reach.
pub fn end_on_a_signal(runtime: &Runtime, folder: PathBuf) -> Result<(), Trouble> {
    let _guard = runtime.enter();
    let (mut interrupt, mut terminate) = (signals(SignalKind::interrupt())?, signals(SignalKind::terminate())?);
    runtime.spawn(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        kill_all();
        let _ = fs::remove_dir_all(folder);
        std::process::exit(INTERRUPTED);
    });
    Ok(())
}

/// Sends a signal such as `KILL` to a process; that it is gone already is fine.
pub fn signal(pid: u32, name: &str) {
    send(name, &pid.to_string());
}

/// Sends a signal to all processes of a group; that they are gone already is fine.
pub fn signal_group(group: u32, name: &str) {
    send(name, &format!("-{group}"));
}

fn send(name: &str, target: &str) {
    // The program says on standard error when nobody is there.
    let _ = Command::new("kill").args([&format!("-{name}"), "--", target]).output();
}

/// The living children of a process.
///
/// # Errors
/// Where /proc cannot be read.
pub fn children(parent: u32) -> Result<Vec<u32>, Trouble> {
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        if let Some((state, ppid)) = state_and_parent(&stat)
            && ppid == parent
            && state != "Z"
        {
            children.push(pid);
        }
    }
    children.sort_unstable();
    Ok(children)
}

/// From `PID (NAME) STATE PPID ...`; the name may hold anything.
fn state_and_parent(stat: &str) -> Option<(&str, u32)> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    Some((fields.next()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_hide_the_parent() {
        assert_eq!(state_and_parent("12 (a) b) S 7 12 12 0"), Some(("S", 7)));
        assert_eq!(state_and_parent("12 (cat"), None);
    }

    #[test]
    fn a_child_is_found_until_it_has_ended() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        assert!(children(std::process::id()).unwrap().contains(&child.id()));
        signal(child.id(), "KILL");
        child.wait().unwrap();
        assert!(!children(std::process::id()).unwrap().contains(&child.id()));
    }
}
