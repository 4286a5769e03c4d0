//! Commands to a platform that runs, from another process.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use clap::{Args, Subcommand};
use service_kit::Error;
use service_kit::config::duration;

use crate::control::client;
use crate::control::protocol::Request;
use crate::faults::{self, Dependency, Fault};

/// What is wanted of a platform that runs.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Makes something go wrong for a while, tells what is to be seen, and mends it
    Faults(FaultsArgs),
    /// Asks the demo shop
    Demo {
        /// What is asked.
        #[command(subcommand)]
        question: Question,
    },
}

/// What goes wrong, and for how long.
#[derive(Args, Clone, Debug)]
pub struct FaultsArgs {
    /// What goes wrong.
    #[command(subcommand)]
    kind: Kind,

    /// How long it lasts, such as 30s; each fault has a time of its own. Ctrl-C ends it before
    #[arg(long = "for", value_name = "TIME", global = true, value_parser = duration)]
    duration: Option<Duration>,
}

/// What goes wrong.
#[derive(Clone, Debug, Subcommand)]
enum Kind {
    /// All faults: what they do, what the page shows, and which metric tells it
    List,
    /// Views that are 5 to 30 minutes old come in
    LateBurst,
    /// The clocks of some visitors are ahead; records of tomorrow are put on Kafka directly
    ClockSkew,
    /// Nothing comes to one of the partitions
    IdlePartition,
    /// Records that are no events are put on Kafka directly
    Poison,
    /// Stops a part, and starts it again where it was
    Down {
        /// The part.
        #[arg(value_name = "PART")]
        part: Dependency,
    },
}

/// What the demo is asked.
#[derive(Clone, Debug, Subcommand)]
pub enum Question {
    /// The answer key: how many different visitors looked at each product in each of the last minutes that are over, as
    /// tab-separated values. `unknown`: the minute had begun before the demo. `3..4`: an answer was lost on the way
    Key {
        /// Of how many minutes
        #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_440))]
        minutes: u32,
    },
}

/// Carries a command out, and writes what it tells to standard output.
pub(crate) fn run(command: &Command, data: Option<&Path>) -> Result<(), Error> {
    let request = match command {
        Command::Demo { question: Question::Key { minutes } } => Request::Key { minutes: *minutes },
        Command::Faults(FaultsArgs { kind, duration }) => {
            let fault = match kind {
                Kind::List => {
                    show(faults::list().trim_end());
                    return Ok(());
                }
                Kind::LateBurst => Fault::LateBurst,
                Kind::ClockSkew => Fault::ClockSkew,
                Kind::IdlePartition => Fault::IdlePartition,
                Kind::Poison => Fault::Poison,
                Kind::Down { part } => Fault::Down(*part),
            };
            let lasts = duration.unwrap_or_else(|| fault.usual_duration());
            fault.check_duration(lasts).map_err(Error::Usage)?;
            Request::Fault { fault, millis: u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX) }
        }
    };
    client::ask(data, &request, show)
}

fn show(line: &str) {
    // A reader that has gone is no reason to complain.
    drop(writeln!(std::io::stdout(), "{line}"));
}
