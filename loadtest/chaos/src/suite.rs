//! All scenarios, one after the other, on one broker and one store.

use std::fs;
use std::iter;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use kit::broker::Broker;
use kit::dynamo::Dynamo;
use kit::{Trouble, processes};
use tokio::runtime::{Handle, Runtime};

use crate::args::Args;
use crate::progress::Progress;
use crate::proxy::{Network, Proxy};
use crate::report::{self, Entry};
use crate::scenario::{self, Chosen, Scenario};
use crate::stage::Stage;
use crate::tally::Tally;

/// How often the broker looks for transactions that timed out: often, for a test does not wait ten seconds.
const CLEANUP: &str = "transaction.abort.timed.out.transaction.cleanup.interval.ms=500";
/// So many findings of a scenario are printed; all are in its folder.
const PRINTED: usize = 8;

/// What all scenarios share.
pub(crate) struct Suite {
    /// The command line.
    pub(crate) args: Args,
    /// Where the random numbers start.
    pub(crate) seed: u64,
    /// The folder of all logs.
    pub(crate) folder: PathBuf,
    /// Kafka.
    pub(crate) broker: Broker,
    /// The network between job and Kafka, for jobs that go that way.
    pub(crate) network: Proxy,
    /// DynamoDB.
    pub(crate) dynamo: Dynamo,
    /// What all servers of this process run on.
    pub(crate) runtime: Handle,
    /// What is going on.
    pub(crate) progress: Progress,
}

/// Runs the suite; whether nothing differs.
pub(crate) fn run(args: &Args) -> Result<bool, Trouble> {
    let scenarios = scenario::chosen(args)?;
    if args.list {
        scenarios.iter().for_each(|(_, scenario)| println!("{:<12} {}", scenario.name, scenario.about));
        return Ok(true);
    }
    if !args.dataflow.is_file() {
        return Err(format!("there is no program {}; build it, or give --dataflow", args.dataflow.display()).into());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let folder = tempfile::Builder::new().prefix("footfall-chaos-").tempdir()?;
    processes::end_on_a_signal(&runtime, folder.path().to_owned())?;
    let seed = args.seed();
    eprintln!("chaos: seed {seed}, {}, logs in {}", args.dataflow.display(), folder.path().display());
    let suite = Suite::start(args, seed, folder.path(), scenarios.len(), &runtime)?;

    let entries = suite.play_all(scenarios);
    suite.progress.finish();
    let is_same = entries.iter().all(|entry| entry.tally.differences == 0);
    suite.broker.keep_log(&suite.folder);
    suite.broker.kill()?;
    print!("{}{}", report::table(&entries), report::notes(&entries));
    if args.keep || !is_same {
        println!("seed {seed}, logs in {}", folder.keep().display());
    }
    println!("{}", report::verdict(&entries));
    Ok(is_same)
}

impl Suite {
    fn start(args: &Args, seed: u64, folder: &Path, scenarios: usize, runtime: &Runtime) -> Result<Self, Trouble> {
        let handle = runtime.handle();
        // The broker has to tell its clients the proxy's address, and the proxy is told the broker's.
        let network = Proxy::start(handle)?;
        let advertised = network.address.to_string();
        let flags = ["--advertise", &advertised, "--config", CLEANUP];
        let broker = Broker::start(folder.with_extension("broker"), &flags, handle.clone())?;
        network.lead_to(broker.proxied()?);
        let dynamo = Dynamo::start(handle.clone())?;
        let (args, folder, progress) = (args.clone(), folder.to_owned(), Progress::new(scenarios));
        Ok(Suite { args, seed, folder, broker, network, dynamo, runtime: handle.clone(), progress })
    }

    /// Plays the scenarios, as many at a time as there are lanes; those that touch the broker first, and alone.
    fn play_all(&self, scenarios: Vec<Chosen>) -> Vec<Entry> {
        let (alone, others): (Vec<_>, Vec<_>) = scenarios.into_iter().partition(|(_, scenario)| scenario.is_alone);
        let mut entries: Vec<(u64, Entry)> = Vec::new();
        entries.extend(alone.into_iter().map(|(index, scenario)| (index, self.play(index, scenario))));
        let queue = Mutex::new(others.into_iter());
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let lane = || iter::from_fn(next).map(|(index, scenario)| (index, self.play(index, scenario))).collect();
        thread::scope(|scope| {
            let lanes: Vec<_> = (0..self.args.lanes()).map(|_| scope.spawn(lane)).collect();
            for lane in lanes {
                let played: Vec<_> = lane.join().unwrap_or_else(|panic| resume_unwind(panic));
                entries.extend(played);
            }
        });
        entries.sort_by_key(|(index, _)| *index);
        entries.into_iter().map(|(_, entry)| entry).collect()
    }

    /// Plays one scenario. What goes wrong in it is a finding, and the next one is played.
    fn play(&self, index: u64, scenario: &'static Scenario) -> Entry {
        let started = Instant::now();
        self.network.set(Network::Up);
        self.progress.say(&format!("{}: {}", scenario.name, scenario.about));
        let folder = self.folder.join(scenario.name);
        let mut tally = Tally::default();
        match Stage::new(self, index, scenario.name, &folder) {
            Err(trouble) => tally.find(format!("the scenario did not begin: {trouble}")),
            Ok(mut stage) => {
                let outcome = (scenario.play)(&mut stage);
                tally = stage.tally;
                if let Err(trouble) = outcome {
                    tally.find(format!("the scenario did not end: {trouble}"));
                }
            }
        }
        if !tally.findings.is_empty() {
            let _ = fs::write(folder.join("findings.txt"), tally.findings.join("\n") + "\n");
            for finding in tally.findings.iter().take(PRINTED) {
                self.progress.print(&format!("{}: {finding}", scenario.name));
            }
            let name = folder.join("findings.txt");
            self.progress.print(&format!(
                "{}: {} findings, in {}",
                scenario.name,
                tally.findings.len(),
                name.display()
            ));
        }
        self.progress.advance();
        Entry { name: scenario.name, tally, took: started.elapsed() }
    }
}
