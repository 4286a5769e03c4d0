//! The connections to the other processes while the job runs, and what it means when one ends.
//!
//! The runtime's threads panic when a connection breaks, one after the other, and the panics say nothing of use. So
//! they are not told: where a connection breaks, the job fails with a sentence that names the process, what is sent is
//! dropped, and a thread that would receive rests until the program ends.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use timely::communication::allocator::zero_copy::stream::Stream;

use crate::control::Control;
use crate::error::Error;

/// The runtime ends what it sends with an empty message: a header of zeros.
const FAREWELL_BYTES: usize = 48;

/// How long processes wait for each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// How long the workers of a failed job may take to leave.
    pub(super) leave: Duration,
    /// How long workers may take to hear what a process that is gone has said last: it is a better reason to fail.
    pub(super) hear_out: Duration,
    /// How long the workers of a process may go on when another process has ended, all being well.
    pub(super) alone: Duration,
    /// How long a failed process tries to send what it has to say.
    pub(super) send: Duration,
    /// How long a process whose work is done waits for the others to be done as well.
    pub(super) others: Duration,
}

/// What is known of the other processes.
#[derive(Debug)]
pub(super) struct Peers {
    control: Arc<Control>,
    connections: Vec<TcpStream>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// How many workers of this process have not left.
    workers: usize,
    /// How many processes we have sent everything to.
    parted: usize,
    /// How many processes have said that they will send nothing more, and the first of them, and when.
    ended: usize,
    first_to_end: Option<(usize, Instant)>,
    /// How many processes are gone without a farewell.
    lost: usize,
    /// What is to be said of the first of these, and since when.
    first_lost: Option<(String, Instant)>,
    /// A worker has panicked: what it and its connections had to say is lost.
    has_panicked: bool,
}

impl Peers {
    pub(super) fn new(control: Arc<Control>, workers: usize, connections: Vec<TcpStream>) -> Self {
        let state = Mutex::new(State { workers, ..State::default() });
        Peers { control, connections, state, changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    /// Whether this process is alone.
    pub(super) fn are_none(&self) -> bool {
        self.connections.is_empty()
    }

    /// A worker of this process will do nothing more.
    pub(super) fn worker_left(&self, has_panicked: bool) {
        if has_panicked {
            // The runtime's threads are about to panic as well, and would leave the connections open.
            for connection in &self.connections {
                let _ = connection.shutdown(Shutdown::Both);
            }
        }
        self.change(|state| {
            state.workers -= 1;
            state.has_panicked |= has_panicked;
        });
    }

    fn lost(&self, process: usize, address: &str, how: &str) {
        self.change(|state| {
            state.lost += 1;
            state.first_lost.get_or_insert_with(|| {
                (format!("process {process} at {address} is gone ({how}); start all processes again (docs/runbooks/lost-process.md)"), Instant::now())
            });
        });
    }

    fn ended(&self, process: usize) {
        self.change(|state| {
            state.ended += 1;
            state.first_to_end.get_or_insert((process, Instant::now()));
        });
    }

    /// Waits until all workers of this process have left, and says whether they have: once the job has failed, they
    /// have `limits.leave`.
    ///
    /// Until then no process can be done without.
    pub(super) fn wait_for_workers(&self, limits: &Limits) -> bool {
        const LOOK_EVERY: Duration = Duration::from_millis(100);
        let mut failed_at: Option<Instant> = None;
        let mut state = self.state();
        while state.workers > 0 {
            let is_over = |since: &Instant, limit| since.elapsed() >= limit;
            if self.control.failure().is_some() {
                if is_over(failed_at.get_or_insert_with(Instant::now), limits.leave) {
                    return false;
                }
            } else if let Some((what, since)) = &state.first_lost
                && is_over(since, limits.hear_out)
            {
                self.control.fail(Error::Restart(what.clone()));
            } else if let Some((process, since)) = &state.first_to_end
                && is_over(since, limits.alone)
            {
                self.control.fail(Error::Restart(format!(
                    "process {process} has ended but this one has not; start all processes again"
                )));
            }
            (state, _) = self.changed.wait_timeout(state, LOOK_EVERY).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    /// Waits until all that was sent is on its way, and the others have ended as well unless the job has failed. Says
    /// whether the runtime's threads have come to an end by that.
    pub(super) fn wait_for_others(&self, limits: &Limits) -> bool {
        let all = self.connections.len();
        let is_done = |state: &State| state.parted == all && state.ended == all;
        let (limit, is_enough): (_, &dyn Fn(&State) -> bool) = if self.control.failure().is_some() {
            (limits.send, &|state| state.parted == all || state.has_panicked)
        } else {
            (limits.others, &|state| is_done(state) || state.lost > 0)
        };
        let state = self.changed.wait_timeout_while(self.state(), limit, |state| !is_enough(state));
        is_done(&state.unwrap_or_else(PoisonError::into_inner).0)
    }
}

/// One end of the connection to another process, as the runtime's threads see it.
#[derive(Debug)]
pub(super) struct PeerStream {
    stream: TcpStream,
    process: usize,
    address: Arc<str>,
    peers: Arc<Peers>,
    /// With how many zeros what was read ends.
    zeros: usize,
}

impl PeerStream {
    pub(super) fn new(stream: TcpStream, process: usize, address: Arc<str>, peers: Arc<Peers>) -> Self {
        PeerStream { stream, process, address, peers, zeros: 0 }
    }

    fn lost(&self, how: &str) {
        self.peers.lost(self.process, &self.address, how);
    }
}

impl Read for PeerStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stream.read(buffer) {
            Ok(len @ 1..) => {
                let zeros = buffer[..len].iter().rev().take_while(|byte| **byte == 0).count();
                self.zeros = if zeros == len { self.zeros + zeros } else { zeros };
                return Ok(len);
            }
            Ok(_) if self.zeros >= FAREWELL_BYTES => {
                self.peers.ended(self.process);
                return Ok(0);
            }
            Ok(_) => self.lost("it has closed the connection"),
            Err(error) if error.kind() == ErrorKind::Interrupted => return self.read(buffer),
            Err(error) => self.lost(&error.to_string()),
        }
        loop {
            std::thread::park();
        }
    }
}

impl Write for PeerStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let is_farewell = bytes.len() == FAREWELL_BYTES && bytes.iter().all(|byte| *byte == 0);
        if is_farewell && self.peers.control.failure().is_some() {
            // Without it the others know at once that all is not well.
            return Ok(bytes.len());
        }
        match self.stream.write(bytes) {
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                // The receiving side knows whether it was lost, or was here no longer than needed: it is at an end as
                // well, or will be.
                tracing::debug!("cannot send to process {}: {error}", self.process);
                Ok(bytes.len())
            }
            result => result,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for PeerStream {
    fn try_clone(&self) -> io::Result<Self> {
        let stream = self.stream.try_clone()?;
        Ok(PeerStream { stream, address: Arc::clone(&self.address), peers: Arc::clone(&self.peers), ..*self })
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.stream.set_nonblocking(nonblocking)
    }

    /// The runtime calls this once everything is sent.
    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        // The other end may have closed it.
        let _ = self.stream.shutdown(how);
        self.peers.change(|state| state.parted += 1);
        Ok(())
    }
}
