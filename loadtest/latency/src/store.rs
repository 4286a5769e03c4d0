//! When DynamoDB has acknowledged final rows: seen between the job and the emulator.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kit::http_proxy::Witness;
use schemas::Window;
use schemas::names::attribute;
use serde_json::Value;

use crate::key::Key;
use crate::moment::Moment;

type Writes = HashMap<Key, Moment>;

/// The first acknowledgement of each final row.
#[derive(Clone, Default)]
pub(crate) struct Store {
    writes: Arc<Mutex<Writes>>,
}

impl Store {
    /// What the proxy shows requests and answers to.
    pub(crate) fn witness(&self) -> Witness {
        let store = self.clone();
        Arc::new(move |request, answer| {
            let now = Moment::now();
            if answer.starts_with(b"HTTP/1.1 200")
                && let Some(key) = final_row(request)
            {
                store.lock().entry(key).or_insert(now);
            }
        })
    }

    /// Hands out what was seen.
    pub(crate) fn take(&self) -> Writes {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Writes> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The final row that a request puts; `None` for all other requests.
fn final_row(request: &[u8]) -> Option<Key> {
    let body = request.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let (head, body) = request.split_at(body);
    if !String::from_utf8_lossy(head).contains("DynamoDB_20120810.PutItem") {
        return None;
    }
    let request: Value = serde_json::from_slice(body).ok()?;
    let item = &request["Item"];
    if !item[attribute::FINAL]["BOOL"].as_bool()? {
        return None;
    }
    let window = Window::from_start_text(item[attribute::WINDOW_START]["S"].as_str()?).ok()?;
    Key::new(window, item[attribute::PRODUCT_ID]["S"].as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(target: &str, is_final: bool) -> Vec<u8> {
        let body = format!(
            r#"{{"TableName":"t","Item":{{"product_id":{{"S":"42"}},"window_start":{{"S":"1970-01-01T00:02:00Z"}},"final":{{"BOOL":{is_final}}}}}}}"#
        );
        format!("POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.{target}\r\n\r\n{body}").into_bytes()
    }

    #[test]
    fn the_first_acknowledgement_of_a_final_row_counts() {
        let store = Store::default();
        let witness = store.witness();
        for (request, answer) in [
            (put("PutItem", true), "HTTP/1.1 400 Bad Request"),
            (put("PutItem", false), "HTTP/1.1 200 OK"),
            (put("GetItem", true), "HTTP/1.1 200 OK"),
        ] {
            witness(&request, answer.as_bytes());
        }
        assert!(store.take().is_empty());
        witness(&put("PutItem", true), b"HTTP/1.1 200 OK");
        let keys: Vec<Key> = store.take().into_keys().collect();
        assert_eq!(keys, [Key { window: Window::from_ordinal(2), product: 42 }]);
    }
}
