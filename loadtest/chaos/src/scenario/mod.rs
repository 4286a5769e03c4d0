//! The scenarios: what is done to the job, one file for each kind of fault.

mod added_partitions;
mod backfill;
mod broker;
mod by_hand;
mod determinism;
mod gaps;
mod hot_partition;
mod idle_partitions;
mod kill;
mod lateness;
mod network;
mod processes;
mod quiet;
mod recovery;
mod rescale;
mod second_job;
mod stopped;
mod store;
mod zombie;

use std::time::Duration;

use kit::Trouble;

use crate::args::Args;
use crate::stage::Stage;

/// How long the end of a process may take that was killed.
const SOON: Duration = Duration::from_secs(10);

/// A scenario.
pub(crate) struct Scenario {
    /// Its name, also that of its folder, topics, group and table.
    pub(crate) name: &'static str,
    /// What is done, in a few words.
    pub(crate) about: &'static str,
    /// Whether it cannot be played beside others: it takes away what they stand on, or measures time.
    pub(crate) is_alone: bool,
    /// Whether the short form leaves it out, unless it is asked for.
    is_long: bool,
    /// Does it.
    pub(crate) play: Play,
}

/// Their order is part of what the seed fixes: new ones go to the end.
const SCENARIOS: [Scenario; 17] = [
    beside_others("kill", "the job is killed at random moments", kill::play),
    beside_others("processes", "one, all, and the supervisor of three processes are killed", processes::play),
    alone("broker", "the broker is stopped, and killed", broker::play),
    beside_others("stopped", "the job stands still for longer than a transaction may last", stopped::play),
    beside_others("zombie", "a job that stood still wakes up and finds another in its place", zombie::play),
    beside_others("second-job", "a second job with the same name is started", second_job::play),
    beside_others("store", "DynamoDB throttles, fails and drops connections", store::play),
    beside_others("network", "the network to the broker is cut, and falls silent", network::play),
    beside_others("rescale", "restarts with 1, 3 and 2 workers", rescale::play),
    beside_others("hot-partition", "kills, with most events in one partition", hot_partition::play),
    beside_others("idle", "partitions fall silent and come back", idle_partitions::play),
    beside_others("added", "the topic gets more partitions", added_partitions::play),
    beside_others("gaps", "aborted transactions of others lie between the events", gaps::play),
    beside_others("lateness", "kills, with allowed lateness and its revisions", lateness::play),
    beside_others(
        "determinism",
        "five jobs that differ in speed, workers and luck read the same topic",
        determinism::play,
    ),
    Scenario { is_long: true, ..alone("recovery", "starts with 3.5 million records to read again", recovery::play) },
    beside_others("backfill", "a long topic with unequal partitions is read from its beginning", backfill::play),
];

const QUIET: Scenario = beside_others("quiet", "nothing is done to the job", quiet::play);

type Play = fn(&mut Stage<'_>) -> Result<(), Trouble>;

const fn beside_others(name: &'static str, about: &'static str, play: Play) -> Scenario {
    Scenario { name, about, is_alone: false, is_long: false, play }
}

const fn alone(name: &'static str, about: &'static str, play: Play) -> Scenario {
    Scenario { name, about, is_alone: true, is_long: false, play }
}

/// A scenario, and its place in the list of all.
pub(crate) type Chosen = (u64, &'static Scenario);

/// The scenarios that the command line asks for.
pub(crate) fn chosen(args: &Args) -> Result<Vec<Chosen>, Trouble> {
    if args.self_test && args.scenarios.is_empty() {
        return Ok(vec![(0, &QUIET)]);
    }
    let all = || SCENARIOS.iter().chain([&QUIET]);
    let is_known = |name: &&String| all().any(|scenario| scenario.name == **name);
    if let Some(unknown) = args.scenarios.iter().find(|name| !is_known(name)) {
        return Err(format!("there is no scenario {unknown}; see --list").into());
    }
    let is_chosen = |scenario: &Scenario| match args.scenarios.is_empty() {
        // Without faults it tests the suite alone: it is played where it is asked for.
        true => scenario.name != QUIET.name && !(args.short && scenario.is_long),
        false => args.scenarios.iter().any(|name| name == scenario.name),
    };
    Ok((1..).zip(all()).filter(|(_, scenario)| is_chosen(scenario)).collect())
}
