//! What an invocation is about: objects that were created, or an import to go on with.

use aws_lambda_events::event::s3::{S3Event, S3EventRecord};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::import::Task;
use crate::row::Origin;
use crate::{Error, Progress};

/// What the names of events begin with that tell of new content.
const CREATED: &str = "ObjectCreated:";

/// An import to go on with: the event with which the function invokes itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Continuation {
    /// The bucket.
    pub bucket: String,
    /// The object's key, as it is.
    pub key: String,
    /// Which version of it; none where the bucket keeps no versions.
    #[serde(default)]
    pub version: Option<String>,
    /// The ETag of what was read so far.
    #[serde(default)]
    pub etag: Option<String>,
    /// How far the import is.
    #[serde(flatten)]
    pub progress: Progress,
}

impl Continuation {
    /// The import as it is to be gone on with.
    #[must_use]
    pub fn of(task: Task) -> Self {
        let Task { origin: Origin { bucket, key }, version, etag, progress } = task;
        Continuation { bucket, key, version, etag, progress }
    }

    fn into_task(self) -> Task {
        let Continuation { bucket, key, version, etag, progress } = self;
        Task { origin: Origin { bucket, key }, version, etag, progress }
    }
}

/// The imports that an event asks for.
pub(crate) fn tasks(event: Value) -> Result<Vec<Task>, Error> {
    let unreadable = |error| Error::Event(format!("the event is neither of S3 nor one to continue an import: {error}"));
    if event.get("Records").is_some() {
        let event: S3Event = serde_json::from_value(event).map_err(unreadable)?;
        return event.records.into_iter().filter(is_creation).map(task_of).collect();
    }
    // S3 sends it when somebody sets up notifications.
    if event.get("Event").is_some_and(|name| name == "s3:TestEvent") {
        return Ok(Vec::new());
    }
    let continuation: Continuation = serde_json::from_value(event).map_err(unreadable)?;
    Ok(vec![continuation.into_task()])
}

fn is_creation(record: &S3EventRecord) -> bool {
    let name = record.event_name.as_deref().unwrap_or(CREATED);
    // Some senders put the service before it.
    name.strip_prefix("s3:").unwrap_or(name).starts_with(CREATED)
}

fn task_of(record: S3EventRecord) -> Result<Task, Error> {
    let (bucket, object) = (record.s3.bucket.name, record.s3.object);
    let (Some(bucket), Some(key)) = (bucket, object.key) else {
        return Err(Error::Event("a record of the event names no bucket or no object".to_owned()));
    };
    let origin = Origin { bucket, key: decoded(&key)? };
    let version = object.version_id.filter(|version| !version.is_empty());
    Ok(Task { origin, version, etag: None, progress: Progress::start() })
}

/// Keys of events are written as in forms: a space is a plus.
fn decoded(key: &str) -> Result<String, Error> {
    let spaced = key.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    Ok(decoded.map_err(|error| Error::Event(format!("the key {key:?} of the event is no text: {error}")))?.into_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(name: &str, key: &str) -> Value {
        json!({
            "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-central-1",
            "eventTime": "2026-01-01T12:00:00.000Z", "eventName": name,
            "userIdentity": {"principalId": "A"}, "requestParameters": {"sourceIPAddress": "127.0.0.1"},
            "responseElements": {},
            "s3": {
                "s3SchemaVersion": "1.0", "configurationId": "import",
                "bucket": {"name": "imports", "ownerIdentity": {"principalId": "A"}, "arn": "arn:aws:s3:::imports"},
                "object": {"key": key, "size": 1, "eTag": "abc", "versionId": "v1", "sequencer": "0A"},
            },
        })
    }

    fn keys(event: Value) -> Vec<String> {
        tasks(event).unwrap().into_iter().map(|task| task.origin.key).collect()
    }

    #[test]
    fn keys_of_events_are_decoded() {
        let event = json!({"Records": [record("ObjectCreated:Put", "new/K%C3%A4se+%2B+Brot.csv"), record("ObjectCreated:Copy", "b.csv")]});
        assert_eq!(keys(event), ["new/Käse + Brot.csv", "b.csv"]);
    }

    #[test]
    fn other_events_are_nothing_to_import() {
        let event =
            json!({"Records": [record("ObjectRemoved:Delete", "a.csv"), record("s3:ObjectCreated:Put", "b.csv")]});
        assert_eq!(keys(event), ["b.csv"]);
        let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "imports"});
        assert!(tasks(test).unwrap().is_empty());
    }

    #[test]
    fn a_continuation_says_again_what_it_was_made_of() {
        let mut progress = Progress { line: 4_001, hop: 3, ..Progress::start() };
        progress.rows.failed = 2;
        progress.reasons.insert("required".to_owned(), 2);
        let origin = Origin { bucket: "imports".to_owned(), key: "a b+c.csv".to_owned() };
        let task = Task { origin, version: Some("v1".to_owned()), etag: Some("\"abc\"".to_owned()), progress };
        let event = serde_json::to_value(Continuation::of(task.clone())).unwrap();
        assert_eq!((&event["line"], &event["hop"], &event["key"]), (&json!(4_001), &json!(3), &json!("a b+c.csv")));
        let read = tasks(event).unwrap().remove(0);
        assert_eq!(Continuation::of(read), Continuation::of(task));
    }

    #[test]
    fn the_least_continuation_can_be_written_by_hand() {
        let task = tasks(json!({"bucket": "imports", "key": "a.csv", "version": null, "line": 7})).unwrap().remove(0);
        assert_eq!((task.progress.line, task.progress.hop, task.version), (7, 0, None));
    }

    #[test]
    fn anything_else_is_refused() {
        assert!(matches!(tasks(json!({"bucket": "imports"})), Err(Error::Event(_))));
    }
}
