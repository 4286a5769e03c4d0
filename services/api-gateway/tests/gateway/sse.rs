//! A client of event streams, as a browser is one: it reads lines, and remembers the last id.

use reqwest::Response;
use schemas::TopicRow;
use serde_json::Value;
use tokio::time::timeout;

use crate::harness::Platform;
use crate::topic::PATIENCE;

/// An open stream.
pub(crate) struct Stream {
    response: Response,
    received: Vec<u8>,
    /// The id of the last event; empty before the first.
    pub(crate) last_id: String,
    /// Whether the server has told how long to wait before connecting again.
    pub(crate) retry: Option<String>,
}

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl Event {
    /// The row of a `window` event.
    pub(crate) fn row(&self) -> Option<TopicRow> {
        (self.name == "window").then(|| serde_json::from_str(&self.data.to_string()).unwrap())
    }
}

impl Stream {
    /// Opens a stream, behind the event of this id.
    pub(crate) async fn open(client: &reqwest::Client, url: &str, last_id: Option<&str>) -> Self {
        let mut request = client.get(url).timeout(PATIENCE * 4);
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Stream { response, received: Vec::new(), last_id: last_id.unwrap_or_default().to_owned(), retry: None }
    }

    /// Opens the stream of all products.
    pub(crate) async fn of_all(platform: &Platform, last_id: Option<&str>) -> Self {
        Self::open(&platform.client, &format!("{}/analytics/stream", platform.url), last_id).await
    }

    /// The next event; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some(block) = self.block() {
                if let Some(event) = self.dispatch(&block) {
                    return Some(event);
                }
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await.expect("nothing comes").unwrap()?;
            self.received.extend_from_slice(&chunk);
        }
    }

    /// What has been received up to the next empty line.
    fn block(&mut self) -> Option<String> {
        let end = self.received.windows(2).position(|pair| pair == b"\n\n")?;
        let block = self.received.drain(..end + 2).collect();
        Some(String::from_utf8(block).unwrap())
    }

    fn dispatch(&mut self, block: &str) -> Option<Event> {
        let (mut name, mut data) = (String::new(), String::new());
        for line in block.lines().filter(|line| !line.is_empty() && !line.starts_with(':')) {
            let (field, value) = line.split_once(": ").unwrap();
            match field {
                "id" => value.clone_into(&mut self.last_id),
                "event" => value.clone_into(&mut name),
                "data" => data.push_str(value),
                "retry" => self.retry = Some(value.to_owned()),
                _ => panic!("{line}"),
            }
        }
        // No data, no event.
        (!data.is_empty()).then(|| Event { name, data: serde_json::from_str(&data).unwrap() })
    }

    /// The next event that is no `watermark`.
    pub(crate) async fn next_but_watermarks(&mut self) -> Option<Event> {
        loop {
            let event = self.next().await?;
            if event.name != "watermark" {
                return Some(event);
            }
        }
    }

    /// The next row.
    pub(crate) async fn row(&mut self) -> TopicRow {
        let event = self.next_but_watermarks().await.expect("the stream has ended");
        event.row().unwrap_or_else(|| panic!("{event:?} is no row"))
    }

    /// The next rows, so many.
    pub(crate) async fn rows(&mut self, count: usize) -> Vec<TopicRow> {
        let mut rows = Vec::new();
        while rows.len() < count {
            rows.push(self.row().await);
        }
        rows
    }

    /// The next event of this name.
    pub(crate) async fn event(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().await.expect("the stream has ended");
            if event.name == name {
                return event;
            }
        }
    }

    /// Waits until the gateway has read the topic: from then on every row comes.
    pub(crate) async fn wait_for_id(&mut self) {
        while self.last_id.is_empty() {
            self.next().await.expect("the stream has ended");
        }
    }
}
