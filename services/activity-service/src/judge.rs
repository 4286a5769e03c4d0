//! Which events would be counted, and what is wrong with the others.

use std::borrow::Cow;
use std::time::Duration;

use schemas::{FieldCode, Reason};
use serde::Serialize;
use serde_json::value::RawValue;
use service_kit::{Fault, Place, Problem};
use utoipa::ToSchema;

use crate::batch::Batch;

/// How far ahead of our clock an event may be dated: what the clocks of honest senders differ by.
pub(crate) const MAX_AHEAD: Duration = Duration::from_secs(10);

/// An event that would be counted.
#[derive(Debug)]
pub(crate) struct Accepted<'a> {
    /// Whose event it is: the record's key.
    pub(crate) user_id: Cow<'a, str>,
    /// The event as it was sent.
    pub(crate) json: &'a str,
}

/// An event that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Rejection {
    /// Which item of the array, from 0.
    pub(crate) index: usize,
    /// What is wrong with it, for programs.
    #[schema(value_type = String, example = "missing_user_id")]
    pub(crate) reason: Reason,
    /// Where in the body the fault lies (RFC 6901).
    #[schema(example = "/2/user_id")]
    pub(crate) pointer: String,
    /// What is wrong with it, for people.
    pub(crate) detail: &'static str,
}

/// The items of a request, told apart.
#[derive(Debug, Default)]
pub(crate) struct Judged<'a> {
    pub(crate) accepted: Vec<Accepted<'a>>,
    pub(crate) rejected: Vec<Rejection>,
}

impl<'a> Batch<'a> {
    /// Judges each item as the job's decoder does; `now_millis` is the clock, in milliseconds since the Unix epoch.
    pub(crate) fn judge(&self, now_millis: i64) -> Judged<'a> {
        let mut judged = Judged::default();
        for (index, item) in self.items.iter().copied().enumerate() {
            match judge(item, now_millis) {
                Ok(accepted) => judged.accepted.push(accepted),
                Err(reason) => judged.rejected.push(self.rejection(index, reason)),
            }
        }
        judged
    }

    fn rejection(&self, index: usize, reason: Reason) -> Rejection {
        let pointer = reason.pointer();
        let pointer = if self.is_array { format!("/{index}{pointer}") } else { pointer.to_owned() };
        Rejection { index, reason, pointer, detail: reason.detail() }
    }
}

impl Judged<'_> {
    /// The problem of a request without an event that would be counted.
    pub(crate) fn refusal(self) -> Problem {
        let fault = |Rejection { reason, pointer, detail, .. }: Rejection| Fault {
            place: Place::Pointer(pointer),
            code: FieldCode::Event(reason),
            detail: detail.to_owned(),
        };
        Problem::of_faults(self.rejected.into_iter().map(fault).collect())
    }
}

fn judge(item: &RawValue, now_millis: i64) -> Result<Accepted<'_>, Reason> {
    let event = schemas::decode(item.get().as_bytes())?;
    let ahead = event.timestamp.millis().saturating_sub(now_millis);
    if u128::try_from(ahead).is_ok_and(|ahead| ahead > MAX_AHEAD.as_millis()) {
        return Err(Reason::Future);
    }
    Ok(Accepted { user_id: event.user_id, json: item.get() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::EventTime;
    use service_kit::Kind;

    /// 2024-01-01T12:00:00Z.
    const NOW: i64 = 1_704_110_400_000;

    fn event(user_id: &str, timestamp: &str) -> String {
        format!(r#"{{"user_id":{user_id},"product_id":7,"event_type":"VIEW_PRODUCT","timestamp":"{timestamp}"}}"#)
    }

    fn on_time(user_id: &str) -> String {
        event(user_id, "2024-01-01T12:00:00Z")
    }

    #[test]
    fn the_clock_of_these_tests_is_what_it_says() {
        assert_eq!(EventTime::parse(b"2024-01-01T12:00:00Z").unwrap().millis(), NOW);
    }

    #[test]
    fn the_key_is_the_user_as_meant_and_the_value_the_event_as_written() {
        for (written, meant) in [("\"u1\"", "u1"), (r#""\u0075\"1""#, "u\"1"), ("42", "42"), ("\"ü\"", "ü")] {
            let json = format!(" {} ", on_time(written));
            let judged = Batch::parse(json.as_bytes()).unwrap().judge(NOW);
            assert!(judged.rejected.is_empty(), "{:?}", judged.rejected);
            assert_eq!((&*judged.accepted[0].user_id, judged.accepted[0].json), (meant, json.trim()));
        }
    }

    #[test]
    fn whatever_the_decoder_accepts_is_accepted_and_its_reason_is_ours_otherwise() {
        let long = "x".repeat(257);
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let large = format!(r#"{{"metadata":"{}"}}"#, "x".repeat(schemas::MAX_RECORD_BYTES));
        let items = [
            on_time("\"u1\""),
            on_time("1.5"),
            on_time(&format!("\"{long}\"")),
            event("\"u1\"", "yesterday"),
            "{}".to_owned(),
            "[]".to_owned(),
            "null".to_owned(),
            format!(r#"{{"metadata":{deep}}}"#),
            large,
            r#"{"user_id":"u1","product_id":"","event_type":"X","timestamp":"2024-01-01T12:00:00Z"}"#.to_owned(),
        ];
        let body = format!("[{}]", items.join(","));
        let judged = Batch::parse(body.as_bytes()).unwrap().judge(NOW);
        let told: Vec<_> = judged.rejected.iter().map(|rejection| (rejection.index, rejection.reason)).collect();
        let decoded = items.iter().enumerate();
        let expected: Vec<_> =
            decoded.filter_map(|(index, item)| Some((index, schemas::decode(item.as_bytes()).err()?))).collect();
        assert_eq!(told, expected);
        assert_eq!(told.len(), items.len() - 1);
    }

    #[test]
    fn an_event_of_up_to_ten_seconds_ahead_is_on_time_and_a_later_one_is_of_the_future() {
        for (timestamp, reason) in [
            ("1970-01-01T00:00:00Z", None),
            ("2024-01-01T12:00:10Z", None),
            ("2024-01-01T12:00:10.001Z", Some(Reason::Future)),
            ("2024-01-01T13:00:10+01:00", None),
            ("9999-12-31T23:59:59Z", Some(Reason::Future)),
        ] {
            let json = event("\"u1\"", timestamp);
            let judged = Batch::parse(json.as_bytes()).unwrap().judge(NOW);
            assert_eq!(judged.rejected.first().map(|rejection| rejection.reason), reason, "{timestamp}");
        }
    }

    #[test]
    fn a_refusal_points_into_the_body_that_was_sent() {
        let pointers = |body: &str| {
            let batch = Batch::parse(body.as_bytes()).unwrap();
            let problem = batch.judge(NOW).refusal();
            assert_eq!(problem.kind(), Kind::ValidationFailed);
            problem.faults().iter().map(|fault| (fault.place.clone(), fault.code.code())).collect::<Vec<_>>()
        };
        let at = |pointer: &str| Place::Pointer(pointer.to_owned());
        assert_eq!(pointers("{}"), [(at("/user_id"), "missing_user_id")]);
        assert_eq!(pointers("7"), [(at(""), "not_an_object")]);
        let expected =
            [(at("/0/user_id"), "missing_user_id"), (at("/1"), "not_an_object"), (at("/2/timestamp"), "future")];
        assert_eq!(pointers(&format!("[{{}}, 7, {}]", event("1", "2025-01-01T00:00:00Z"))), expected);
    }
}
