//! Faults that lie in events: they are too old, ahead of the clock, or none at all.

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use schemas::EventTime;
use tokio::time::Instant;

use super::{Outcome, Play, records};
use crate::demo::Trouble;

/// How old the views of a late burst are.
const LATE_MILLIS: Range<i64> = 5 * 60_000..30 * 60_000;
/// How many come in a second.
const LATE_A_SECOND: usize = 200;
/// How many records are put on Kafka, in all.
const DIRECT: usize = 100;
/// How far beyond what the job allows they are dated.
const BEYOND: Duration = Duration::from_secs(24 * 3_600);

impl Play<'_> {
    pub(super) async fn late_burst(&self) -> Outcome {
        let sent = async {
            let demo = self.stage.demo()?;
            let began = Instant::now();
            let mut accepted = 0;
            while began.elapsed() < self.duration {
                let next = Instant::now() + Duration::from_secs(1);
                accepted += demo.send_old(LATE_A_SECOND, LATE_MILLIS).await?;
                tokio::time::sleep_until(next).await;
            }
            (self.say)(format!(
                "{accepted} views of 5 to 30 minutes ago were accepted, as their senders cannot know better"
            ));
            Ok(())
        };
        ended(self.over.run_until_cancelled(sent).await.unwrap_or(Ok(())))
    }

    pub(super) async fn clock_skew(&self) -> Outcome {
        let began = Instant::now();
        let products = match &self.stage.demo {
            Some(demo) => match demo.products() {
                Ok((products, _)) => {
                    demo.set_trouble(Trouble { is_skewed: true, ..Trouble::default() });
                    products
                }
                Err(sentence) => return Outcome::Refused(sentence),
            },
            None => vec!["1".to_owned()],
        };
        let put = async {
            let ahead = self.stage.rules.max_future_skew.unwrap_or_default() + BEYOND;
            let views = records::views(&products, after(ahead), DIRECT);
            records::put(self.stage.kafka.clone(), self.stage.topic.clone(), views).await?;
            (self.say)(format!("{DIRECT} records of tomorrow are in the topic; the job rejects them as `future`"));
            Ok(())
        };
        let result = put.await;
        if result.is_ok() {
            self.rest(began).await;
        }
        if let Some(demo) = &self.stage.demo {
            demo.set_trouble(Trouble::default());
        }
        ended(result)
    }

    pub(super) async fn poison(&self) -> Outcome {
        let (kafka, topic) = (self.stage.kafka.clone(), self.stage.topic.clone());
        let put = async {
            let began = Instant::now();
            // Other records each time.
            let seed = after(Duration::ZERO).millis().unsigned_abs();
            records::put(kafka, topic, records::malformed(seed, DIRECT as u64)?).await?;
            (self.say)(format!("{DIRECT} records that are no events are in the topic"));
            self.rest(began).await;
            Ok(())
        };
        ended(put.await)
    }
}

fn ended(result: Result<(), String>) -> Outcome {
    result.map_or_else(Outcome::Refused, |()| Outcome::Done)
}

/// The time so much after the clock.
fn after(ahead: Duration) -> EventTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + ahead;
    let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    EventTime::from_millis(millis).unwrap_or(EventTime::MAX)
}
