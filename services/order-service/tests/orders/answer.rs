//! What comes back.

use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use serde_json::Value;
use tokio::task::JoinSet;

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn etag(&self) -> &str {
        self.header("etag")
    }

    /// A member of the body that is a text.
    pub(crate) fn text(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap_or_else(|| panic!("no {member}: {self:?}")).to_owned()
    }

    /// Asserts which problem it is; the answer must be one, whole.
    pub(crate) fn is(&self, status: u16, kind: &str) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert!(problem["trace_id"].is_string() && problem["detail"].is_string(), "{problem}");
        assert_eq!(problem["status"], self.status);
        assert_eq!(
            (self.status, problem["type"].as_str().unwrap()),
            (status, &*format!("/problems/{kind}")),
            "{self:?}"
        );
    }

    /// Where the faults lie and what they are, in order.
    pub(crate) fn faults(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let place = |fault: &Value| format!("{}{}", text(&fault["pointer"]), text(&fault["parameter"]));
        let problem = self.json();
        let mut faults: Vec<_> =
            problem["errors"].as_array().unwrap().iter().map(|fault| (place(fault), text(&fault["code"]))).collect();
        faults.sort();
        faults
    }
}

pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, text: response.text().await.unwrap() }
}

/// Sends all at once.
pub(crate) async fn all(requests: impl IntoIterator<Item = RequestBuilder>) -> Vec<Answer> {
    requests.into_iter().map(answer).collect::<JoinSet<_>>().join_all().await
}

/// How many answers have this status.
pub(crate) fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}
