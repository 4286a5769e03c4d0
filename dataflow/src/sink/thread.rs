//! A sink on its own thread, and the tickets by which workers learn what has become durable.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use schemas::ResultRow;
use timely::scheduling::SyncActivator;

use super::Sink;
use crate::control::Control;
use crate::error::Error;
use crate::record::Quarantined;

/// What a sink is given to write, and whom it tells.
enum Command {
    Rows(Vec<ResultRow>, Receipt),
    Quarantined(Arc<Vec<Quarantined>>, Receipt),
}

/// A running sink.
pub struct SinkThread {
    commands: Sender<Command>,
    ended: Receiver<Box<dyn Sink>>,
}

/// Gives work to a sink from any worker.
#[derive(Clone)]
pub struct SinkHandle {
    commands: Sender<Command>,
    control: Arc<Control>,
}

impl SinkThread {
    /// Starts the thread. A failing sink fails the job.
    ///
    /// # Errors
    /// When the system has no thread for it.
    pub fn spawn(mut sink: Box<dyn Sink>, control: &Arc<Control>) -> Result<(Self, SinkHandle), Error> {
        let (commands, received) = mpsc::channel();
        let handle = SinkHandle { commands: commands.clone(), control: Arc::clone(control) };
        let control = Arc::clone(control);
        let (end, ended) = mpsc::sync_channel(1);
        let run = move || {
            for command in received {
                let written = match command {
                    Command::Rows(rows, receipt) => sink.write_rows(&rows).map(|()| receipt),
                    Command::Quarantined(records, receipt) => sink.write_quarantined(&records).map(|()| receipt),
                };
                match written {
                    Ok(receipt) => receipt.hand_over(&control),
                    Err(error) => {
                        control.fail(error);
                        break;
                    }
                }
            }
            // Nobody waits for the sinks of a job that has failed for longer than a moment.
            let _ = end.send(sink);
        };
        thread::Builder::new()
            .name("sink".to_owned())
            .spawn(run)
            .map_err(|error| Error::Internal(format!("cannot start a thread: {error}")))?;
        Ok((SinkThread { commands, ended }, handle))
    }

    /// Waits until everything is written and returns the sink, to be finished or dropped.
    ///
    /// # Errors
    /// When the thread has panicked.
    pub fn join(self) -> Result<Box<dyn Sink>, Error> {
        drop(self.commands);
        self.ended.recv().map_err(|_| Error::Internal("a sink panicked; please report it".to_owned()))
    }

    /// Drops the sink, which takes back what it has not completed, unless it is busy for longer than `patience`.
    pub fn abandon(self, patience: Duration) {
        drop(self.commands);
        let _ = self.ended.recv_timeout(patience);
    }
}

impl SinkHandle {
    /// Gives final rows to the sink.
    pub fn write_rows(&self, rows: Vec<ResultRow>, receipt: Receipt) {
        self.send(Command::Rows(rows, receipt));
    }

    /// Gives records that were not counted to the sink.
    pub fn write_quarantined(&self, records: Arc<Vec<Quarantined>>, receipt: Receipt) {
        self.send(Command::Quarantined(records, receipt));
    }

    fn send(&self, command: Command) {
        self.control.handed_to_sink();
        // A sink that has gone has failed, and with it the job: nobody waits for the receipt.
        let _ = self.commands.send(command);
    }
}

/// Says that what it came with is durable.
pub struct Receipt {
    ticket: u64,
    tickets: Sender<u64>,
    operator: SyncActivator,
}

impl Receipt {
    fn hand_over(self, control: &Control) {
        // The operator hears of it before the job may take it as settled; one that has left does not care.
        let _ = self.tickets.send(self.ticket);
        let _ = self.operator.activate();
        control.acknowledged_by_sink();
    }
}

/// What an operator holds until its sinks have acknowledged: capabilities, above all.
pub struct Unsettled<T> {
    next_ticket: u64,
    held: HashMap<u64, (usize, T)>,
    tickets: Sender<u64>,
    settled: Receiver<u64>,
    operator: SyncActivator,
}

impl<T> Unsettled<T> {
    /// For the operator that `operator` wakes.
    #[must_use]
    pub fn new(operator: SyncActivator) -> Self {
        let (tickets, settled) = mpsc::channel();
        Unsettled { next_ticket: 0, held: HashMap::new(), tickets, settled, operator }
    }

    /// Holds `value` until all of `count` receipts have come back.
    pub fn hold(&mut self, value: T, count: usize) -> impl Iterator<Item = Receipt> {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        if count > 0 {
            self.held.insert(ticket, (count, value));
        }
        (0..count).map(move |_| Receipt { ticket, tickets: self.tickets.clone(), operator: self.operator.clone() })
    }

    /// Lets go of what has been acknowledged since the last call.
    pub fn settle(&mut self, mut release: impl FnMut(T)) {
        for ticket in self.settled.try_iter() {
            let Some((count, value)) = self.held.remove(&ticket) else { continue };
            if count > 1 {
                self.held.insert(ticket, (count - 1, value));
            } else {
                release(value);
            }
        }
    }
}
