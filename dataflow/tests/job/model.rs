//! The specification as straight-line code, slow and obvious: what the job is compared with.

use std::collections::{BTreeMap, HashSet};

use dataflow::record::Verdict;
use schemas::{Reason, ResultRow, Window};

use crate::fixture::Scripted;

/// What must come out of a job.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
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
    pub(crate) event_types: Vec<String>,
}

impl Model {
    pub(crate) fn expect(&self, partitions: &[Vec<Scripted>]) -> Expected {
        let mut expected = Expected::default();
        let mut users: BTreeMap<(Window, String), HashSet<String>> = BTreeMap::new();
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
                } else if window.end_millis() <= watermark {
                    expected.late += 1;
                    let lateness_millis = (watermark - window.end_millis()).unsigned_abs();
                    let verdict = Verdict::Late { event_millis: time, lateness_millis };
                    expected.quarantined.push((partition, offset, format!("{verdict:?}")));
                } else {
                    expected.counted += 1;
                    let key = (window, event.product_id.into_owned());
                    users.entry(key).or_default().insert(event.user_id.into_owned());
                }
                let complete = time.min(record.time_millis.unwrap_or(i64::MAX)) - self.out_of_orderness_millis;
                watermark = watermark.max(complete);
            }
        }
        expected.rows = users
            .into_iter()
            .map(|((window, product_id), users)| ResultRow {
                product_id,
                window,
                unique_user_count: users.len() as u64,
                revision: 0,
            })
            .collect();
        expected.quarantined.sort();
        expected
    }
}
