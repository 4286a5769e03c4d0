//! All settings, one after the other, on one broker.

use kit::broker::Broker;
use kit::{Trouble, processes};

use crate::args::Args;
use crate::measurement::{Bench, Setting};
use crate::moment::Moment;
use crate::report;

/// Measures every setting; whether all rows were right.
pub(crate) fn run(args: &Args) -> Result<bool, Trouble> {
    if !args.dataflow.is_file() {
        return Err(format!("there is no program {}; build it, or give --dataflow", args.dataflow.display()).into());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let folder = tempfile::Builder::new().prefix("footfall-latency-").tempdir()?;
    processes::end_on_a_signal(&runtime, folder.path().to_owned())?;
    let started = Moment::now();
    let broker = Broker::start(folder.path().with_extension("broker"), &[], runtime.handle().clone())?;
    let bench = Bench { args, broker: &broker, runtime: runtime.handle(), folder: folder.path() };

    let settings = args.sinks.iter().flat_map(|&sinks| args.rates.iter().map(move |&rate| Setting { rate, sinks }));
    let mut outcomes = Vec::new();
    for setting in settings {
        eprintln!("latency: {} events/s, {:?}, logs in {}", setting.rate, setting.sinks, folder.path().display());
        match bench.measure(setting) {
            Ok(outcome) => outcomes.push(outcome),
            Err(trouble) => {
                // What was measured before is kept.
                print!("{}{}", report::table(&outcomes), report::notes(&outcomes));
                println!("logs in {}", folder.keep().display());
                return Err(trouble);
            }
        }
        // After each, so that a run that is broken off leaves something.
        let path = report::write(args, started, &outcomes)?;
        eprintln!("latency: written to {}", path.display());
    }
    broker.kill()?;
    print!("{}{}", report::table(&outcomes), report::notes(&outcomes));
    if args.keep {
        println!("logs in {}", folder.keep().display());
    }
    Ok(outcomes.iter().all(|outcome| outcome.findings.is_empty()))
}
