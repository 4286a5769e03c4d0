//! What the gateway says is wrong, and what of it becomes a row's reason.

use reqwest::StatusCode;
use serde::Deserialize;

use crate::errors_file::RowFault;

/// What is read of a problem (RFC 9457).
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Problem {
    r#type: String,
    pub(super) detail: String,
    errors: Vec<Fault>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Fault {
    pointer: String,
    code: String,
    detail: String,
}

impl Problem {
    pub(super) fn slug(&self) -> Option<&str> {
        self.r#type.strip_prefix("/problems/")
    }

    /// Why the row failed: the first fault's code, every fault's detail.
    pub(super) fn fault(&self, status: StatusCode) -> RowFault {
        let code = match self.errors.first() {
            Some(first) if !first.code.is_empty() => first.code.clone(),
            _ => self.slug().map_or_else(|| format!("http-{}", status.as_u16()), str::to_owned),
        };
        let details: Vec<_> = self.errors.iter().map(Fault::told).collect();
        let detail = match (details.is_empty(), self.detail.is_empty()) {
            (false, _) => details.join(" | "),
            (true, false) => self.detail.clone(),
            (true, true) => format!("the gateway answered {status}"),
        };
        RowFault { code, detail }
    }
}

impl Fault {
    /// The detail, which begins with the column.
    fn told(&self) -> String {
        let column = self.pointer.strip_prefix('/').unwrap_or(&self.pointer);
        if self.detail.starts_with(column) { self.detail.clone() } else { format!("{column}: {}", self.detail) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(status: u16, problem: &str) -> (String, String) {
        let problem: Problem = serde_json::from_str(problem).unwrap_or_default();
        let RowFault { code, detail } = problem.fault(StatusCode::from_u16(status).unwrap());
        (code, detail)
    }

    #[test]
    fn a_row_fails_by_its_first_fault_and_is_told_all() {
        let problem = r#"{"type":"/problems/validation-failed","detail":"2 faults; each is told in errors","errors":[
            {"pointer":"/name","code":"required","detail":"name is required"},
            {"pointer":"/price","code":"invalid_format","detail":"is \"x\"; it must be an amount"}]}"#;
        let (code, detail) = fault(422, problem);
        assert_eq!(code, "required");
        assert_eq!(detail, "name is required | price: is \"x\"; it must be an amount");
    }

    #[test]
    fn without_faults_the_kind_of_problem_is_the_reason() {
        let problem = r#"{"type":"/problems/body-too-large","detail":"the body is too large"}"#;
        assert_eq!(fault(413, problem), ("body-too-large".to_owned(), "the body is too large".to_owned()));
        assert_eq!(fault(418, "teapot").0, "http-418");
        assert_eq!(fault(418, "teapot").1, "the gateway answered 418 I'm a teapot");
    }
}
