//! The faults: what each does, what is to be seen, and which metric tells it.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::admin::Metric;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Views that are minutes old.
    LateBurst,
    /// Clocks that are ahead.
    ClockSkew,
    /// A partition to which nothing comes.
    IdlePartition,
    /// Records that are no events.
    Poison,
    /// Something that others need is away.
    Down(Dependency),
}

/// What others need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Dependency {
    /// The broker.
    Kafka,
    /// The store of counts and sessions.
    Dynamodb,
    /// The store of products, customers and orders.
    Postgresql,
    /// The service of products.
    ProductCatalog,
    /// The public entry.
    ApiGateway,
}

/// The shortest and the longest time that a fault lasts.
pub(super) const LASTS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);
/// What is down for longer is given up by the clients of Kafka after two minutes.
const LONGEST_OUTAGE: Duration = Duration::from_secs(60);

/// All faults.
pub(crate) const ALL: [Fault; 9] = [
    Fault::LateBurst,
    Fault::ClockSkew,
    Fault::IdlePartition,
    Fault::Poison,
    Fault::Down(Dependency::Kafka),
    Fault::Down(Dependency::Dynamodb),
    Fault::Down(Dependency::Postgresql),
    Fault::Down(Dependency::ProductCatalog),
    Fault::Down(Dependency::ApiGateway),
];

const LATE: Metric = Metric::of_job("dataflow_records_late_total");
const QUARANTINED: Metric = Metric::of_job("dataflow_sink_quarantined_total");
const REJECTED: Metric = Metric::of_job("dataflow_records_rejected_total");
const FUTURE: Metric = Metric { labels: &[("part", "dataflow"), ("reason", "future")], ..REJECTED };
const REFUSED_FUTURE: Metric =
    Metric { name: "activity_events_rejected_total", labels: &[("part", "activity-service"), ("reason", "future")] };
const WATERMARK_AGE: Metric = Metric::of_job("dataflow_watermark_age_seconds");
const IDLE: Metric = Metric::of_job("dataflow_partition_idle");
const UNPUBLISHED: Metric =
    Metric { name: "activity_events_unpublished_total", labels: &[("part", "activity-service")] };
const RETRIES: Metric =
    Metric { name: "dataflow_sink_retries_total", labels: &[("part", "dataflow"), ("sink", "dynamodb")] };
const UNAVAILABLE: Metric =
    Metric { name: "http_requests_total", labels: &[("part", "api-gateway"), ("status", "503")] };
const ANSWERED: Metric = Metric { name: "http_requests_total", labels: &[("part", "api-gateway")] };

impl Fault {
    /// What it does.
    pub(crate) const fn does(self) -> &'static str {
        match self {
            Fault::LateBurst => "visitors come back from a tunnel: their views are 5 to 30 minutes old",
            Fault::ClockSkew => {
                "a tenth of the visitors have clocks that are minutes ahead; records of tomorrow are put on Kafka directly"
            }
            Fault::IdlePartition => "nobody whose events go to one of the partitions does anything",
            Fault::Poison => "records that are no events are put on Kafka directly",
            Fault::Down(Dependency::Kafka) => "the broker stops, and starts again where it was",
            Fault::Down(Dependency::Dynamodb) => {
                "the store of counts and sessions stops, and starts again where it was"
            }
            Fault::Down(Dependency::Postgresql) => "the database stops, and starts again where it was",
            Fault::Down(Dependency::ProductCatalog) => "the service of products stops, and starts again where it was",
            Fault::Down(Dependency::ApiGateway) => "the public entry stops, and starts again where it was",
        }
    }

    /// What whoever looks at the page sees.
    pub(crate) const fn shows(self) -> &'static str {
        match self {
            Fault::LateBurst => {
                "no row changes: those minutes are final; the events are accepted, and kept in the topic of late events"
            }
            Fault::ClockSkew => {
                "counts go on, a little lower; the watermark does not jump ahead; what is ahead is refused, or kept as rejected"
            }
            Fault::IdlePartition => {
                "the watermark stands still and minutes stay open, until the partition counts as idle after 30 s; then it jumps"
            }
            Fault::Poison => {
                "nothing: the records are rejected with their reasons and kept whole, and counting goes on"
            }
            Fault::Down(Dependency::Kafka) => {
                "counts stand still and grow older; senders are told 503 and send again; afterwards nothing is missing"
            }
            Fault::Down(Dependency::Dynamodb) => {
                "counts of the past are answered 503, and live ones go on; rows wait in the job and are written afterwards"
            }
            Fault::Down(Dependency::Postgresql) => {
                "products, customers and orders are answered 503; counts go on, without names of products"
            }
            Fault::Down(Dependency::ProductCatalog) => {
                "products are answered 503; counts go on, without names of products; orders are not placed"
            }
            Fault::Down(Dependency::ApiGateway) => {
                "it says that it reconnects, and goes on by itself; senders send again; metrics of the gateway begin at zero again"
            }
        }
    }

    /// Which metrics tell it.
    pub(crate) const fn metrics(self) -> &'static [Metric] {
        match self {
            Fault::LateBurst => &[LATE, QUARANTINED],
            Fault::ClockSkew => &[REFUSED_FUTURE, FUTURE],
            Fault::IdlePartition => &[WATERMARK_AGE, IDLE],
            Fault::Poison => &[REJECTED, QUARANTINED],
            Fault::Down(Dependency::Kafka) => &[UNPUBLISHED, WATERMARK_AGE],
            Fault::Down(Dependency::Dynamodb) => &[RETRIES, UNAVAILABLE],
            Fault::Down(Dependency::Postgresql | Dependency::ProductCatalog) => &[UNAVAILABLE],
            Fault::Down(Dependency::ApiGateway) => &[ANSWERED],
        }
    }

    /// How long it lasts unless told.
    pub(crate) const fn usual_duration(self) -> Duration {
        Duration::from_secs(match self {
            Fault::LateBurst | Fault::Poison => 10,
            Fault::ClockSkew => 30,
            // Longer than it takes to count as idle.
            Fault::IdlePartition => 60,
            Fault::Down(_) => 20,
        })
    }

    /// Whether it may last so long.
    ///
    /// # Errors
    /// What it may be, for people.
    pub(crate) fn check_duration(self, duration: Duration) -> Result<(), String> {
        let longest = if matches!(self, Fault::Down(_)) { LONGEST_OUTAGE } else { *LASTS.end() };
        if (*LASTS.start()..=longest).contains(&duration) {
            return Ok(());
        }
        let longest = longest.as_secs();
        Err(format!("{self} cannot last {} s; choose 1 to {longest} s with --for", duration.as_secs_f64()))
    }
}

impl fmt::Display for Fault {
    /// As it is written after `footfall faults`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::LateBurst => "late-burst",
            Fault::ClockSkew => "clock-skew",
            Fault::IdlePartition => "idle-partition",
            Fault::Poison => "poison",
            Fault::Down(Dependency::Kafka) => "down kafka",
            Fault::Down(Dependency::Dynamodb) => "down dynamodb",
            Fault::Down(Dependency::Postgresql) => "down postgresql",
            Fault::Down(Dependency::ProductCatalog) => "down product-catalog",
            Fault::Down(Dependency::ApiGateway) => "down api-gateway",
        })
    }
}

/// `footfall faults list`.
pub(crate) fn list() -> String {
    let mut text = String::new();
    for fault in ALL {
        let metrics: Vec<_> = fault.metrics().iter().map(ToString::to_string).collect();
        text += &format!(
            "{fault}  ({} s unless --for says otherwise)\n  does   {}\n  shows  {}\n  metric {}\n",
            fault.usual_duration().as_secs(),
            fault.does(),
            fault.shows(),
            metrics.join("\n         ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_listed_with_what_it_does_and_a_metric() {
        let list = list();
        for fault in ALL {
            assert!(list.contains(&format!("{fault}  (")), "{fault}");
            assert!(!fault.metrics().is_empty());
            fault.check_duration(fault.usual_duration()).unwrap();
        }
    }

    #[test]
    fn an_outage_ends_before_clients_give_up() {
        let down = Fault::Down(Dependency::Kafka);
        down.check_duration(Duration::from_secs(60)).unwrap();
        let error = down.check_duration(Duration::from_secs(61)).unwrap_err();
        assert_eq!(error, "down kafka cannot last 61 s; choose 1 to 60 s with --for");
        assert!(Fault::Poison.check_duration(Duration::ZERO).is_err());
    }
}
