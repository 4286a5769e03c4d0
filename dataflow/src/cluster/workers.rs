//! The workers of this process, connected with those of the others.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use timely::WorkerConfig;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use timely::communication::{Hooks, WorkerGuards};
use timely::execute::execute_from;
use timely::worker::Worker;

use super::connect::Links;
use super::panics::hush_consequences;
use super::peer::{Limits, PeerStream, Peers};
use crate::control::Control;
use crate::error::Error;

const LIMITS: Limits = Limits {
    leave: Duration::from_secs(2),
    hear_out: Duration::from_millis(200),
    alone: Duration::from_secs(5),
    send: Duration::from_millis(500),
    others: Duration::from_secs(5),
};

/// The workers of this process while they run.
pub struct Workers {
    guards: WorkerGuards<()>,
    peers: Arc<Peers>,
}

/// Starts `workers` workers, each of which runs `work`. Once it returns, the worker's dataflows are dropped.
///
/// A worker that panics and a process that is lost make the job fail ([`Control::fail`]); `work` must then return soon.
///
/// # Errors
/// [`Error::Internal`] when threads cannot be started.
pub fn start(
    links: Links,
    workers: usize,
    control: &Arc<Control>,
    work: impl Fn(&mut Worker) + Send + Sync + 'static,
) -> Result<Workers, Error> {
    hush_consequences();
    let cannot = |error: String| Error::Internal(format!("cannot start the workers: {error}"));
    let Links { members, streams } = links;
    let copies: Result<Vec<_>, _> = streams.iter().flatten().map(TcpStream::try_clone).collect();
    let copies = copies.map_err(|error| cannot(error.to_string()))?;
    let peers = Arc::new(Peers::new(Arc::clone(control), workers, copies));
    let (builders, others) = if members.is_alone() {
        timely::CommunicationConfig::Process(workers).try_build().map_err(cannot)?
    } else {
        let hooks = Hooks::default();
        let within = ProcessBuilder::new_typed_vector(workers, hooks.refill.clone(), hooks.spill.clone());
        let watched = |(process, stream): (usize, Option<TcpStream>)| {
            let address = members.addresses[process].as_str();
            stream.map(|stream| PeerStream::new(stream, process, address.into(), Arc::clone(&peers)))
        };
        let sockets = streams.into_iter().enumerate().map(watched).collect();
        let (builders, threads) = initialize_networking_from_sockets(within, sockets, members.process, workers, hooks)
            .map_err(|error| cannot(error.to_string()))?;
        (builders.into_iter().map(AllocatorBuilder::Tcp).collect(), Box::new(threads) as Box<_>)
    };
    let (control, watched) = (Arc::clone(control), Arc::clone(&peers));
    let guards = execute_from(builders, others, WorkerConfig::default(), move |worker| {
        let _departure = Departure { worker: worker.index(), control: &control, peers: &watched };
        work(worker);
        for dataflow in worker.installed_dataflows() {
            worker.drop_dataflow(dataflow);
        }
    });
    Ok(Workers { guards: guards.map_err(cannot)?, peers })
}

impl Workers {
    /// Waits until the workers have left, and those of the other processes as well, as these may still have something
    /// to send here. Whoever asks [`Control::failure`] afterwards knows whether all went well.
    pub fn join(self) {
        let has_left = self.peers.wait_for_workers(&LIMITS);
        if has_left && (self.peers.are_none() || self.peers.wait_for_others(&LIMITS)) {
            // A panic has been taken note of.
            self.guards.join();
        } else {
            // Threads that wait for something that will not come end with the program.
            std::mem::forget(self.guards);
        }
    }
}

/// Tells that a worker is leaving, in whichever way.
struct Departure<'a> {
    worker: usize,
    control: &'a Control,
    peers: &'a Peers,
}

impl Drop for Departure<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let worker = self.worker;
            self.control
                .fail(Error::Internal(format!("worker {worker} panicked; please report it with the message above")));
        }
        self.peers.worker_left(std::thread::panicking());
    }
}
