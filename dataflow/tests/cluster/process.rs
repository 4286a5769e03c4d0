//! A process of the tests: a job that does nothing but what it is told.

use std::collections::{BTreeMap, VecDeque};
use std::io::BufRead;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dataflow::cluster::{self, ClusterArgs, Hello, Nudge};
use dataflow::control::Control;
use dataflow::error::Error;

/// Variables that a test starts a process with.
pub(crate) const PROCESS: &str = "TEST_PROCESS";
pub(crate) const PROCESSES: &str = "TEST_PROCESSES";
pub(crate) const HOSTS: &str = "TEST_HOSTS";
pub(crate) const WORKERS: &str = "TEST_WORKERS";
pub(crate) const VERSION: &str = "TEST_VERSION";
pub(crate) const SETTING: &str = "TEST_SETTING";
/// What the first worker finds out; with `error:` in front, why it cannot.
pub(crate) const FOUND: &str = "TEST_FOUND";
/// How long the workers of this process take to leave.
pub(crate) const LEAVE_AFTER_MILLIS: &str = "TEST_LEAVE_AFTER_MILLIS";

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// No test, but what the tests start.
#[test]
#[ignore = "is started by the other tests"]
fn process() {
    let Some(number) = variable(PROCESS) else { return };
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).without_time().init();
    let code = run(number.parse().unwrap()).map_or_else(
        |error| {
            eprintln!("dataflow: {error}");
            error.exit_code()
        },
        |()| 0,
    );
    std::process::exit(code.into());
}

/// What tests may say to a process, and what is said in it.
#[derive(Default)]
struct Desk {
    news: Mutex<VecDeque<String>>,
    nudge: Mutex<Option<Nudge>>,
    must_panic: Mutex<bool>,
}

fn run(process: usize) -> Result<(), Error> {
    let number = |name| variable(name).map_or(1, |text| text.parse().unwrap());
    let workers = number(WORKERS);
    let hosts = variable(HOSTS).map(Into::into);
    let members = ClusterArgs { cluster_processes: number(PROCESSES), process, hosts }.members()?;
    let control = Arc::new(Control::new(workers));
    let desk = Arc::new(Desk::default());
    listen(&control, &desk);

    let settings = variable(SETTING).map(|value| ("--setting".to_owned(), value));
    let mut hello = Hello::new(workers, BTreeMap::from_iter(settings));
    hello.version = variable(VERSION).unwrap_or(hello.version);
    let Some(links) = cluster::connect(&members, &hello, &control)? else {
        eprintln!("stopped before all were there");
        return Ok(());
    };
    eprintln!("all are there");
    let running = Arc::clone(&control);
    let started = cluster::start(links, workers, &control, move |worker| {
        let lead = || match variable(FOUND).unwrap_or_default() {
            found if found.starts_with("error:") => Err(Error::Unavailable(found)),
            found => Ok(BTreeMap::from([(7_u32, found)])),
        };
        let found = match cluster::agree(worker, &running, lead) {
            Ok(Some(found)) => found,
            Ok(None) => return,
            Err(error) => return running.fail(error),
        };
        eprintln!("worker {} knows {:?};", worker.index(), found[&7]);
        let poll = {
            let desk = Arc::clone(&desk);
            move || {
                let news: Vec<_> = desk.news.lock().unwrap().drain(..).collect();
                (!news.is_empty()).then_some(news)
            }
        };
        let receive = |process, news: Vec<String>| news.iter().for_each(|it| eprintln!("heard {it} of {process};"));
        if let Some(nudge) = cluster::gossip(worker, workers, poll, receive) {
            *desk.nudge.lock().unwrap() = Some(nudge);
        }
        while !running.is_stopping() {
            worker.step_or_park(Some(Duration::from_millis(500)));
            if worker.index() % workers == 0 && *desk.must_panic.lock().unwrap() {
                panic!("as the test wants it");
            }
        }
        let pause = variable(LEAVE_AFTER_MILLIS).map_or(0, |text| text.parse().unwrap());
        let until = std::time::Instant::now() + Duration::from_millis(pause);
        while let Some(rest) = until.checked_duration_since(std::time::Instant::now()) {
            worker.step_or_park(Some(rest));
        }
    })?;
    started.join();
    control.failure().map_or(Ok(()), |failure| Err(failure.clone()))
}

/// Does what the test says on standard input.
fn listen(control: &Arc<Control>, desk: &Arc<Desk>) {
    let (control, desk) = (Arc::clone(control), Arc::clone(desk));
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            match line.split_once(' ') {
                Some(("say", what)) => desk.news.lock().unwrap().push_back(what.to_owned()),
                _ if line == "stop" => control.stop(),
                _ if line == "fail" => control.fail(Error::Io("as the test wants it".to_owned())),
                _ => *desk.must_panic.lock().unwrap() = true,
            }
            if let Some(nudge) = &*desk.nudge.lock().unwrap() {
                nudge.nudge();
            }
        }
    });
}
