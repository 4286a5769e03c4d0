//! The control item: how far the job is, and that it lives.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::EventTime;
use crate::names::control;
use crate::wire::present;

/// What the job writes every second, also when nothing happens: the only item of the control table.
///
/// ```json
/// {"key":"job","job_epoch":7,"watermark":"2024-01-01T12:03:00.000Z","processed_at":"2024-01-01T12:03:11.052Z","v":1}
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlItem {
    /// The epoch of the job that wrote it, at least 1: the highest that there has been.
    pub job_epoch: u64,
    /// Event time up to which the results are complete; none while that is not known.
    pub watermark: Option<EventTime>,
    /// When the job wrote it, by its own clock.
    pub processed_at: EventTime,
}

/// The fields on the wire, in their written order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    #[serde(borrow)]
    key: std::borrow::Cow<'a, str>,
    job_epoch: u64,
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "present")]
    watermark: Option<EventTime>,
    processed_at: EventTime,
    v: u64,
}

impl Serialize for ControlItem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ControlItem { job_epoch, watermark, processed_at } = *self;
        Wire { key: control::JOB.into(), job_epoch, watermark, processed_at, v: control::V }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ControlItem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Wire { key, job_epoch, watermark, processed_at, v } = Wire::deserialize(deserializer)?;
        if key != control::JOB {
            return Err(D::Error::custom(format_args!("key {key:?} is not {:?}", control::JOB)));
        }
        if v != control::V {
            return Err(D::Error::custom(format_args!("v is {v}; this version knows {}", control::V)));
        }
        if job_epoch == 0 {
            return Err(D::Error::custom("job_epoch is 0; jobs count from 1"));
        }
        Ok(ControlItem { job_epoch, watermark, processed_at })
    }
}
