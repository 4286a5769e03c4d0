//! The command line of `dataflow generate`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use schemas::EventTime;

use super::answers::Answers;
use super::shape::{Shape, Timing};
use super::writers::{Compression, LocalDestination};
use crate::clock;
use crate::duration;
use crate::error::Error;

/// Generates user activity, the same for the same seed, and the exact results it must lead to.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Where records go: `-` (standard output), `ndjson:PATH` or `kafka`. With more than one partition, PATH is a
    /// directory with a file for each; otherwise it is a file, compressed where it ends in .gz or .zst.
    #[arg(long, env = "FOOTFALL_GENERATE_TO", value_name = "DESTINATION", default_value = "-")]
    pub to: Destination,

    /// How the files of a directory are compressed.
    #[arg(long, env = "FOOTFALL_GENERATE_COMPRESS", value_enum, value_name = "HOW")]
    pub compress: Option<Compression>,

    /// Write the answer key here: the rows that the job has to produce from these records, as it writes them to a
    /// file.
    #[arg(long, env = "FOOTFALL_GENERATE_ANSWERS", value_name = "FILE")]
    pub answers: Option<PathBuf>,

    /// Write here, as JSON, how many records the job has to count, find late and reject.
    #[arg(long, env = "FOOTFALL_GENERATE_ANSWERS_SUMMARY", value_name = "FILE")]
    pub answers_summary: Option<PathBuf>,

    /// Where the random generator starts: the same seed and flags give the same records.
    #[arg(long, env = "FOOTFALL_GENERATE_SEED", value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// How many records to generate, malformed ones included; 0 = until stopped, which needs --rate.
    #[arg(long, env = "FOOTFALL_GENERATE_EVENTS", value_name = "N", default_value_t = 1_000_000)]
    pub events: u64,

    /// Event time of the first event, RFC 3339; or `now`, and no two runs are the same.
    #[arg(long, env = "FOOTFALL_GENERATE_START", value_name = "TIME", default_value = "2024-01-01T12:00:00Z",
        value_parser = parse_start)]
    pub start: EventTime,

    /// How much event time the records are spread over, without --rate [default: 60m].
    #[arg(long, env = "FOOTFALL_GENERATE_DURATION", value_name = "DURATION", value_parser = duration::parse,
        conflicts_with_all = ["rate", "speed"])]
    pub duration: Option<Duration>,

    /// Records per second; 0 = as fast as possible.
    #[arg(long, env = "FOOTFALL_GENERATE_RATE", value_name = "N", default_value_t = 0)]
    pub rate: u64,

    /// With --rate: seconds of event time per second on the wall, 0.001 to 1000000 [default: 1]. Above 1 with --start
    /// now, events run ahead of the clock, and a job that reads them from Kafka rejects them as future.
    #[arg(long, env = "FOOTFALL_GENERATE_SPEED", value_name = "FACTOR", requires = "rate")]
    pub speed: Option<f64>,

    /// How many products there are; their ids are 1, 2, ..., the most popular first.
    #[arg(long, env = "FOOTFALL_GENERATE_PRODUCTS", value_name = "N", default_value_t = 10_000)]
    pub products: u64,

    /// How unequally popular products are: the exponent of Zipf's law, 0 to 10; 0 = all the same.
    #[arg(long, env = "FOOTFALL_GENERATE_PRODUCT_EXPONENT", value_name = "S", default_value_t = 1.1)]
    pub product_exponent: f64,

    /// How many users there are; their ids are u1, u2, ...
    #[arg(long, env = "FOOTFALL_GENERATE_USERS", value_name = "N", default_value_t = 1_000_000)]
    pub users: u64,

    /// How unequally active users are: the exponent of Zipf's law, 0 to 10; 0 = all the same.
    #[arg(long, env = "FOOTFALL_GENERATE_USER_EXPONENT", value_name = "S", default_value_t = 0.0)]
    pub user_exponent: f64,

    /// How many partitions the records are spread over, by user as Kafka does it. For `kafka`, as many as the topic
    /// has.
    #[arg(long, env = "FOOTFALL_GENERATE_PARTITIONS", value_name = "N", default_value_t = 1)]
    pub partitions: u32,

    /// By which part each partition is smaller than the one before, 0 to below 1; 0 = all the same.
    #[arg(long, env = "FOOTFALL_GENERATE_PARTITION_SKEW", value_name = "PART", default_value_t = 0.0)]
    pub partition_skew: f64,

    /// How far events are out of order: each is dated back by a random time up to this. Below --out-of-orderness
    /// nothing is late by itself.
    #[arg(long, env = "FOOTFALL_GENERATE_JITTER", value_name = "DURATION", default_value = "8s",
        value_parser = duration::parse)]
    pub jitter: Duration,

    /// The --out-of-orderness of the job that will read the records, for --late-share and the answer key.
    #[arg(long, env = "FOOTFALL_GENERATE_OUT_OF_ORDERNESS", value_name = "DURATION", default_value = "10s",
        value_parser = duration::parse)]
    pub out_of_orderness: Duration,

    /// The fraction of records that come after their window is final, 0 to 1.
    #[arg(long, env = "FOOTFALL_GENERATE_LATE_SHARE", value_name = "SHARE", default_value_t = 0.0)]
    pub late_share: f64,

    /// The fraction of records that are no valid events, 0 to 1: a mix of what goes wrong in practice.
    #[arg(long, env = "FOOTFALL_GENERATE_MALFORMED_SHARE", value_name = "SHARE", default_value_t = 0.0)]
    pub malformed_share: f64,

    /// The fraction of valid events that are written in an uncommon layout, 0 to 1: other key order, white space,
    /// escapes, integer ids, more fields.
    #[arg(long, env = "FOOTFALL_GENERATE_ODD_LAYOUT_SHARE", value_name = "SHARE", default_value_t = 0.01)]
    pub odd_layout_share: f64,

    /// The fraction of valid events that are ADD_TO_CART, 0 to 1.
    #[arg(long, env = "FOOTFALL_GENERATE_ADD_TO_CART_SHARE", value_name = "SHARE", default_value_t = 0.07)]
    pub add_to_cart_share: f64,

    /// The fraction of valid events that are PURCHASE, 0 to 1; the rest is VIEW_PRODUCT.
    #[arg(long, env = "FOOTFALL_GENERATE_PURCHASE_SHARE", value_name = "SHARE", default_value_t = 0.03)]
    pub purchase_share: f64,
}

/// Where generated records go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// `-`: standard output.
    Stdout,
    /// `ndjson:PATH`: a file, or a directory with a file for each partition.
    Ndjson(PathBuf),
    /// `kafka`: the raw events topic.
    Kafka,
}

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.strip_prefix("ndjson:")) {
            ("-", _) => Ok(Destination::Stdout),
            ("kafka", _) => Ok(Destination::Kafka),
            (_, Some(path)) if !path.is_empty() => Ok(Destination::Ndjson(path.into())),
            _ => Err("not a destination; give -, ndjson:PATH or kafka".into()),
        }
    }
}

impl Args {
    /// The shape of the stream.
    ///
    /// # Errors
    /// [`Error::Usage`] where a parameter, or two together, cannot be used.
    pub fn shape(&self) -> Result<Shape, Error> {
        let shape = Shape {
            seed: self.seed,
            events: (self.events > 0).then_some(self.events),
            start: self.start,
            timing: self.timing()?,
            products: self.products,
            product_exponent: self.product_exponent,
            users: self.users,
            user_exponent: self.user_exponent,
            partitions: self.partitions,
            partition_skew: self.partition_skew,
            jitter: self.jitter,
            out_of_orderness: self.out_of_orderness,
            late_share: self.late_share,
            malformed_share: self.malformed_share,
            odd_layout_share: self.odd_layout_share,
            add_to_cart_share: self.add_to_cart_share,
            purchase_share: self.purchase_share,
        };
        shape.validate()?;
        Ok(shape)
    }

    fn timing(&self) -> Result<Timing, Error> {
        match (self.rate, self.events) {
            (0, 0) => Err(Error::Usage("--events 0 never ends; give a --rate".into())),
            (0, _) if self.speed.is_some() => Err(Error::Usage("--speed is measured against --rate; give one".into())),
            (0, _) => Ok(Timing::Spread(self.duration.unwrap_or(Duration::from_secs(3600)))),
            (rate, _) => Ok(Timing::Live { rate, speed: self.speed.unwrap_or(1.0) }),
        }
    }

    /// The destination, if it is one on this machine; `None` for Kafka.
    ///
    /// # Errors
    /// [`Error::Usage`] where it cannot keep the partitions apart, or --compress does not apply to it.
    pub fn local_destination(&self) -> Result<Option<LocalDestination>, Error> {
        let destination = match &self.to {
            Destination::Ndjson(path) if self.partitions > 1 => {
                LocalDestination::Directory(path.clone(), self.compress.unwrap_or_default())
            }
            Destination::Ndjson(path) => LocalDestination::File(path.clone()),
            Destination::Stdout if self.partitions > 1 => {
                let sentence =
                    format!("standard output is one partition, not {}; give --to ndjson:DIR", self.partitions);
                return Err(Error::Usage(sentence));
            }
            Destination::Stdout => LocalDestination::Stdout,
            Destination::Kafka => return Ok(None),
        };
        match (&destination, self.compress) {
            (LocalDestination::File(path), Some(compress)) if compress != Compression::of_path(path) => {
                let path = path.display();
                Err(Error::Usage(format!("--compress does not fit {path}; end its name in .gz or .zst instead")))
            }
            (LocalDestination::Stdout, Some(Compression::Gzip | Compression::Zstd)) => {
                Err(Error::Usage("standard output is not compressed; give --to ndjson:FILE.zst".into()))
            }
            _ => Ok(Some(destination)),
        }
    }

    /// Creates the files of the answer key; `None` where none was asked for.
    ///
    /// # Errors
    /// [`Error::Usage`] where an answer file would lie among the partitions; [`Error::Io`] where it cannot be created.
    pub fn answers(&self, shape: &Shape) -> Result<Option<Answers>, Error> {
        let (rows, summary) = (self.answers.as_deref(), self.answers_summary.as_deref());
        if rows.is_none() && summary.is_none() {
            return Ok(None);
        }
        if let Destination::Ndjson(directory) = &self.to
            && self.partitions > 1
            && let Some(file) = [rows, summary].into_iter().flatten().find(|file| file.parent() == Some(directory))
        {
            let file = file.display();
            return Err(Error::Usage(format!(
                "{file} would be taken for a partition; put it outside of the directory"
            )));
        }
        Answers::create(shape, rows, summary).map(Some)
    }
}

fn parse_start(text: &str) -> Result<EventTime, String> {
    if text != "now" {
        return EventTime::parse(text.as_bytes()).map_err(|error| format!("{error}; or give now"));
    }
    EventTime::from_millis(clock::now_millis()).map_err(|_| "the clock is not set".into())
}
