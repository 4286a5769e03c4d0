//! How old counts are: what the job last said of itself. A quiet shop and a dead job look different.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use schemas::EventTime;
use schemas::names::{CONTROL_TABLE_SUFFIX, control};
use serde::Serialize;
use service_kit::{Problem, causes};
use tokio::sync::Mutex;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::history::NAME;

/// The job writes every second, so its word is good for as long.
const REMEMBERED_FOR: Duration = Duration::from_secs(1);
/// How long the table may take: many wait for one answer.
const LIMIT: Duration = Duration::from_secs(3);

/// How far the job is and when it said so.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Freshness {
    /// Until when all events have been counted, by their own times; `null` while that is not known.
    #[schema(value_type = Option<String>, example = "2024-01-01T12:03:00.000Z")]
    watermark: Option<EventTime>,
    /// When the job last said that it works; `null` where it never did.
    #[schema(value_type = Option<String>, example = "2024-01-01T12:03:11.052Z")]
    processed_at: Option<EventTime>,
    /// How long ago that was.
    age_seconds: Option<f64>,
    /// Whether that is too long: counts may be missing.
    stale: bool,
}

impl Freshness {
    /// Of a job of which nothing can be learnt.
    pub(super) const UNKNOWN: Freshness =
        Freshness { watermark: None, processed_at: None, age_seconds: None, stale: true };

    /// The same of counts that come by the results topic: stale as well while that is not being read.
    pub(super) fn by_topic(self, is_live: bool) -> Self {
        Freshness { stale: self.stale || !is_live, ..self }
    }
}

/// What the job says of itself, remembered for a second.
#[derive(Debug)]
pub(super) struct JobStatus {
    client: Client,
    table: String,
    stale_after: Duration,
    last: Mutex<Option<(Instant, Result<Said, Problem>)>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Said {
    watermark: Option<EventTime>,
    processed_at: Option<EventTime>,
}

impl JobStatus {
    pub(super) fn new(client: Client, analytics_table: &str, stale_after: Duration) -> Self {
        JobStatus {
            client,
            table: format!("{analytics_table}{CONTROL_TABLE_SUFFIX}"),
            stale_after,
            last: Mutex::default(),
        }
    }

    pub(super) async fn freshness(&self) -> Result<Freshness, Problem> {
        let Said { watermark, processed_at } = self.said().await?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(Problem::internal)?;
        let age = processed_at.map(|at| now.saturating_sub(Duration::from_millis(at.millis().unsigned_abs())));
        let millis = age.and_then(|age| u32::try_from(age.as_millis()).ok());
        Ok(Freshness {
            watermark,
            processed_at,
            age_seconds: millis.map(|millis| f64::from(millis) / 1_000.0),
            stale: age.is_none_or(|age| age > self.stale_after),
        })
    }

    /// One asks, and those who come meanwhile are told the same.
    async fn said(&self) -> Result<Said, Problem> {
        let came = Instant::now();
        let mut last = self.last.lock().await;
        let is_good = |(at, said): &&(Instant, Result<Said, Problem>)| {
            *at >= came || (said.is_ok() && at.elapsed() < REMEMBERED_FOR)
        };
        if let Some((_, said)) = last.as_ref().filter(is_good) {
            return said.clone();
        }
        let said = timeout(LIMIT, self.ask()).await.unwrap_or_else(|_| {
            Err(Problem::unavailable(NAME, format_args!("the table {} was silent for {LIMIT:?}", self.table)))
        });
        *last = Some((Instant::now(), said.clone()));
        said
    }

    async fn ask(&self) -> Result<Said, Problem> {
        let request = self.client.get_item().table_name(&self.table);
        let request = request.key(control::KEY, AttributeValue::S(control::JOB.to_owned()));
        let answer = request.send().await.map_err(|error| Problem::unavailable(NAME, causes(&error)))?;
        Ok(answer.item.as_ref().map(read).unwrap_or_default())
    }
}

fn read(item: &HashMap<String, AttributeValue>) -> Said {
    let time = |name: &str| EventTime::parse(item.get(name)?.as_s().ok()?.as_bytes()).ok();
    Said { watermark: time(control::WATERMARK), processed_at: time(control::PROCESSED_AT) }
}
