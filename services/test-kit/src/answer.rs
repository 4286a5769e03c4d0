//! What comes back.

use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use serde_json::Value;
use tokio::task::JoinSet;

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub text: String,
}

impl Answer {
    /// The body, which must be JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A member of the body that is a text.
    #[must_use]
    pub fn text(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap_or_else(|| panic!("no {member}: {self:?}")).to_owned()
    }

    /// A header; empty where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The version of the resource, as the header has it.
    #[must_use]
    pub fn etag(&self) -> &str {
        self.header("etag")
    }

    /// The status and the problem's kind; the answer must be one, whole.
    #[must_use]
    pub fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        assert!(problem["trace_id"].is_string() && problem["detail"].is_string(), "{problem}");
        (self.status, problem["type"].as_str().unwrap().strip_prefix("/problems/").unwrap().to_owned())
    }

    /// Asserts which problem it is.
    pub fn is(&self, status: u16, kind: &str) {
        assert_eq!(self.problem(), (status, kind.to_owned()), "{self:?}");
    }

    /// Where the faults lie and what they are, in order.
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let place = |fault: &Value| format!("{}{}", text(&fault["pointer"]), text(&fault["parameter"]));
        let problem = self.json();
        let mut faults: Vec<_> =
            problem["errors"].as_array().unwrap().iter().map(|fault| (place(fault), text(&fault["code"]))).collect();
        faults.sort();
        faults
    }
}

/// Sends a request, and reads the answer whole.
pub async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, text: response.text().await.unwrap() }
}

/// Sends all at once.
pub async fn all(requests: impl IntoIterator<Item = RequestBuilder>) -> Vec<Answer> {
    requests.into_iter().map(answer).collect::<JoinSet<_>>().join_all().await
}

/// How many answers have this status.
#[must_use]
pub fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}
