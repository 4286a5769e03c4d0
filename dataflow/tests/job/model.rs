//! The specification as straight-line code, slow and obvious: what the job is compared with.

use std::collections::{BTreeMap, HashSet};

use dataflow::distinct::Time;
use dataflow::record::Verdict;
use schemas::{Reason, ResultRow, Window};

use crate::fixture::Scripted;

/// What must come out of a job.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    /// By the time at which they become final, then by window and product.
    pub(crate) rows: Vec<ResultRow>,
    /// `(partition, offset, verdict)`, sorted.
    pub(crate) quarantined: Vec<(u32, u64, String)>,
    pub(crate) received: u64,
    pub(crate) counted: u64,
    pub(crate) late: u64,
    pub(crate) rejected: u64,
    pub(crate) filtered: u64,
}

/// The parameters of the rules.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) out_of_orderness_millis: i64,
    pub(crate) max_future_skew_millis: Option<i64>,
    pub(crate) allowed_lateness_millis: i64,
    pub(crate) event_types: Vec<String>,
}

impl Model {
    /// Of partitions that end.
    pub(crate) fn expect(&self, partitions: &[Vec<Scripted>]) -> Expected {
        self.expect_before(partitions, |_| Time::MAX)
    }

    /// Of partitions that go on: only what is closed has rows.
    pub(crate) fn expect_closed(&self, partitions: &[Vec<Scripted>]) -> Expected {
        self.expect_before(partitions, |watermarks| watermarks.iter().map(|at| first_open(*at)).min().unwrap_or(0))
    }

    /// The first window that is open when all is read.
    pub(crate) fn first_open(&self, partitions: &[Vec<Scripted>]) -> Time {
        let mut open = 0;
        self.expect_before(partitions, |watermarks| {
            open = watermarks.iter().map(|at| first_open(*at)).min().unwrap_or(0);
            open
        });
        open
    }

    fn expect_before(&self, partitions: &[Vec<Scripted>], open: impl FnOnce(&[i64]) -> Time) -> Expected {
        let mut expected = Expected::default();
        // Users by the time at which their look takes effect.
        let mut users: BTreeMap<(Window, String), BTreeMap<Time, HashSet<String>>> = BTreeMap::new();
        let mut watermarks = Vec::new();
        for (partition, records) in (0..).zip(partitions) {
            let mut watermark = i64::MIN;
            for (offset, record) in (0..).zip(records) {
                expected.received += 1;
                let reject = |expected: &mut Expected, reason: Reason| {
                    expected.rejected += 1;
                    expected.quarantined.push((partition, offset, format!("{:?}", Verdict::Rejected(reason))));
                };
                let event = match schemas::decode_general(record.value.as_deref().unwrap_or_default()) {
                    Ok(event) => event,
                    Err(reason) => {
                        reject(&mut expected, reason);
                        continue;
                    }
                };
                let time = event.timestamp.millis();
                if let (Some(skew), Some(record_time)) = (self.max_future_skew_millis, record.time_millis)
                    && time > record_time + skew
                {
                    reject(&mut expected, Reason::Future);
                    continue;
                }
                let window = Window::of(event.timestamp);
                let is_wanted =
                    self.event_types.is_empty() || self.event_types.iter().any(|wanted| *wanted == event.event_type);
                if !is_wanted {
                    expected.filtered += 1;
                } else if window.end_millis().saturating_add(self.allowed_lateness_millis) <= watermark {
                    expected.late += 1;
                    let lateness_millis = (watermark - window.end_millis()).unsigned_abs();
                    let verdict = Verdict::Late { event_millis: time, lateness_millis };
                    expected.quarantined.push((partition, offset, format!("{verdict:?}")));
                } else {
                    expected.counted += 1;
                    let key = (window, event.product_id.into_owned());
                    let time = Time::from(window.ordinal()).max(first_open(watermark));
                    users.entry(key).or_default().entry(time).or_default().insert(event.user_id.into_owned());
                }
                let complete = time.min(record.time_millis.unwrap_or(i64::MAX)) - self.out_of_orderness_millis;
                watermark = watermark.max(complete);
            }
            watermarks.push(watermark);
        }
        let open = open(&watermarks);
        let mut rows = Vec::new();
        for ((window, product_id), users) in users {
            let mut seen = HashSet::new();
            for (time, users) in users {
                let before = seen.len();
                seen.extend(users);
                if seen.len() == before || time >= open {
                    continue;
                }
                let revision = if before == 0 { 0 } else { time - Time::from(window.ordinal()) };
                let unique_user_count = seen.len() as u64;
                rows.push((time, ResultRow { product_id: product_id.clone(), window, unique_user_count, revision }));
            }
        }
        // It was sorted by window and product.
        rows.sort_by_key(|(time, _)| *time);
        expected.rows = rows.into_iter().map(|(_, row)| row).collect();
        expected.quarantined.sort();
        expected
    }
}

/// The first window that a watermark leaves open.
fn first_open(watermark: i64) -> Time {
    watermark.max(0).div_euclid(Window::MILLIS).unsigned_abs()
}
