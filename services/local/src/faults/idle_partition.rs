//! A partition to which nothing comes: it holds the watermark until it counts as idle.

use std::time::Duration;

use tokio::time::Instant;

use super::{Outcome, Play};
use crate::admin::Metric;
use crate::demo::Trouble;

/// A watermark that is further behind the clock than this is held by something: the out-of-orderness is ten seconds.
const HELD_SECONDS: f64 = 15.0;
/// How long the partition may take to be back.
const BACK_LIMIT: Duration = Duration::from_secs(15);
const AGE: Metric = Metric::of_job("dataflow_watermark_age_seconds");

/// What is seen of the partition.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    age_seconds: f64,
    is_idle: bool,
}

impl Play<'_> {
    pub(super) async fn idle_partition(&self) -> Outcome {
        let found = self.stage.demo().and_then(|demo| Ok((demo, demo.products()?.1)));
        let (demo, partitions) = match found {
            Ok(found) => found,
            Err(sentence) => return Outcome::Refused(sentence),
        };
        let Some(muted) = partitions.checked_sub(1).filter(|last| *last > 0) else {
            return Outcome::Refused("the topic has one partition; without it there is nothing to see".to_owned());
        };
        (self.say)(format!("partition {muted} gets nothing any more"));
        demo.set_trouble(Trouble { muted: Some(muted), ..Trouble::default() });
        self.watch(muted).await;
        demo.set_trouble(Trouble::default());
        let began = Instant::now();
        while self.look(muted).await.is_idle && began.elapsed() < BACK_LIMIT && self.pause().await {}
        (self.say)(format!("partition {muted} gets events again"));
        Outcome::Done
    }

    /// Tells what happens to the watermark until it is over.
    async fn watch(&self, partition: u32) {
        let began = Instant::now();
        let (mut was_held, mut was_idle) = (false, false);
        while began.elapsed() < self.duration && self.pause().await {
            let Seen { age_seconds, is_idle } = self.look(partition).await;
            let after = began.elapsed().as_secs();
            if is_idle && !was_idle {
                was_idle = true;
                (self.say)(format!(
                    "after {after} s: partition {partition} counts as idle, and the watermark goes on without it"
                ));
            } else if !is_idle && !was_held && age_seconds > HELD_SECONDS {
                was_held = true;
                (self.say)(format!(
                    "after {after} s: partition {partition} holds the watermark, which is {age_seconds:.0} s behind the clock"
                ));
            }
        }
    }

    async fn look(&self, partition: u32) -> Seen {
        let merged = self.stage.parts.read().await;
        let number = partition.to_string();
        let labels = [("part", "dataflow"), ("partition", number.as_str())];
        let is_idle = merged.values("dataflow_partition_idle", &labels).any(|(_, value)| value == 1.0);
        Seen { age_seconds: merged.sum(&AGE).unwrap_or(0.0), is_idle }
    }
}
