//! A sink on its own thread, and the tickets by which workers learn what has become durable.

use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use schemas::ResultRow;
use timely::scheduling::SyncActivator;

use super::Sink;
use crate::control::Control;
use crate::error::Error;

/// What a sink is given to write, and whom it tells.
enum Command {
    Rows(Vec<ResultRow>, Receipt),
    /// Look at the place: nobody waits for what is there.
    Live(LivePlace),
}

/// Where the newest live rows of an operator wait for the sink; older ones that still wait are worth nothing.
type LivePlace = Arc<Mutex<Option<Vec<ResultRow>>>>;

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
            let mut queue = Queue { received, waiting: VecDeque::new() };
            while let Some(command) = queue.next() {
                if let Err(error) = serve(command, &mut queue, &mut *sink, &control) {
                    control.fail(error);
                    break;
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

/// The commands that the thread has not begun.
struct Queue {
    received: Receiver<Command>,
    waiting: VecDeque<Command>,
}

impl Queue {
    /// Waits for the next command; none when all handles have gone.
    fn next(&mut self) -> Option<Command> {
        self.waiting.pop_front().or_else(|| self.received.recv().ok())
    }

    /// The windows that stand at the head of the queue.
    fn take_rows(&mut self) -> impl Iterator<Item = (Vec<ResultRow>, Receipt)> {
        self.waiting.extend(self.received.try_iter());
        let is_rows = |command: &Command| matches!(command, Command::Rows(..));
        let count = self.waiting.iter().take_while(|command| is_rows(command)).count();
        self.waiting.drain(..count).filter_map(|command| match command {
            Command::Rows(rows, receipt) => Some((rows, receipt)),
            Command::Live(..) => None,
        })
    }
}

fn serve(command: Command, queue: &mut Queue, sink: &mut dyn Sink, control: &Control) -> Result<(), Error> {
    match command {
        Command::Rows(rows, receipt) => {
            // Windows that wait too are written with it, so that a sink in catch-up has always enough to do.
            let (windows, receipts): (Vec<_>, Vec<_>) =
                std::iter::once((rows, receipt)).chain(queue.take_rows()).unzip();
            let windows: Vec<&[ResultRow]> = windows.iter().map(Vec::as_slice).collect();
            let mut receipts: Vec<_> = receipts.into_iter().map(Some).collect();
            sink.write_windows(&windows, &mut |place| {
                if let Some(receipt) = receipts[place].take() {
                    receipt.hand_over(control);
                }
            })?;
            receipts.into_iter().flatten().for_each(|receipt| receipt.hand_over(control));
            Ok(())
        }
        Command::Live(place) => {
            let rows = place.lock().unwrap_or_else(PoisonError::into_inner).take();
            rows.map_or(Ok(()), |rows| sink.write_live(&rows))
        }
    }
}

/// Gives an operator's live rows to a sink.
pub struct LiveHandle {
    place: LivePlace,
    commands: Sender<Command>,
}

impl LiveHandle {
    /// Gives live rows to the sink, in the place of earlier ones that it has not taken yet. Nobody hears of them
    /// again, and the job does not wait for them.
    pub fn write(&self, rows: Vec<ResultRow>) {
        let replaced = self.place.lock().unwrap_or_else(PoisonError::into_inner).replace(rows);
        if replaced.is_none() {
            // A sink that has gone has failed, and with it the job.
            let _ = self.commands.send(Command::Live(Arc::clone(&self.place)));
        }
    }
}

impl SinkHandle {
    /// For an operator that has live rows. Each has its own, and its rows replace only its own.
    #[must_use]
    pub fn live(&self) -> LiveHandle {
        LiveHandle { place: LivePlace::default(), commands: self.commands.clone() }
    }

    /// Gives final rows to the sink.
    pub fn write_rows(&self, rows: Vec<ResultRow>, receipt: Receipt) {
        self.send(Command::Rows(rows, receipt));
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
    /// Tells the operator that holds time back.
    pub fn hand_over(self, control: &Control) {
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

#[cfg(test)]
mod tests {
    use schemas::Window;

    use super::*;

    /// What a sink was called with: the first product of each window, or of live rows.
    #[derive(Debug, PartialEq, Eq)]
    enum Call {
        Windows(Vec<String>),
        Live(String),
    }

    /// Says what it is called with, once it is allowed to go on.
    struct Scribe {
        calls: Sender<Call>,
        go_on: Receiver<()>,
    }

    impl Scribe {
        fn note(&self, call: Call) {
            self.calls.send(call).unwrap();
            self.go_on.recv().unwrap();
        }
    }

    impl Sink for Scribe {
        fn write_rows(&mut self, _rows: &[ResultRow]) -> Result<(), Error> {
            panic!("windows come together");
        }

        fn write_windows(&mut self, windows: &[&[ResultRow]], durable: &mut dyn FnMut(usize)) -> Result<(), Error> {
            self.note(Call::Windows(windows.iter().map(|rows| rows[0].product_id.clone()).collect()));
            (0..windows.len()).rev().for_each(durable);
            Ok(())
        }

        fn write_live(&mut self, rows: &[ResultRow]) -> Result<(), Error> {
            self.note(Call::Live(rows[0].product_id.clone()));
            Ok(())
        }

        fn finish(self: Box<Self>) -> Result<(), Error> {
            Ok(())
        }
    }

    fn rows(product: &str) -> Vec<ResultRow> {
        let window = Window::from_ordinal(0);
        vec![ResultRow { product_id: product.to_owned(), window, unique_user_count: 1, revision: 0 }]
    }

    #[test]
    fn what_waits_is_written_together_and_of_live_rows_the_newest() {
        let activator = timely::execute_directly(|worker| worker.sync_activator_for(vec![0]));
        let mut unsettled: Unsettled<&str> = Unsettled::new(activator);
        let (calls, called) = mpsc::channel();
        let (allow, go_on) = mpsc::channel();
        let control = Arc::new(Control::new(1));
        let (thread, handle) = SinkThread::spawn(Box::new(Scribe { calls, go_on }), &control).unwrap();
        let (own, another) = (handle.live(), handle.live());
        let mut write =
            |product| unsettled.hold(product, 1).for_each(|receipt| handle.write_rows(rows(product), receipt));

        write("a");
        assert_eq!(called.recv(), Ok(Call::Windows(vec!["a".to_owned()])));
        // While the sink is busy:
        write("b");
        write("c");
        own.write(rows("old"));
        another.write(rows("other"));
        write("d");
        own.write(rows("new"));
        write("e");
        (0..5).for_each(|_| allow.send(()).unwrap());

        let windows = |products: &[&str]| Call::Windows(products.iter().map(|&product| product.to_owned()).collect());
        let live = |product: &str| Call::Live(product.to_owned());
        let calls: Vec<_> = called.iter().take(4).collect();
        assert_eq!(calls, [windows(&["b", "c"]), live("new"), live("other"), windows(&["d", "e"])]);
        drop((handle, own, another));
        assert!(thread.join().is_ok());
        let mut settled = Vec::new();
        unsettled.settle(|product| settled.push(product));
        settled.sort_unstable();
        assert_eq!(settled, ["a", "b", "c", "d", "e"]);
        assert!(control.failure().is_none());
    }
}
