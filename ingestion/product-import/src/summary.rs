//! What an invocation did, as one line for CloudWatch (Embedded Metric Format): metrics without a request.

use std::time::Duration;

use serde_json::{Value, json};

use crate::report::{Rows, now};

/// Where the metrics are found in CloudWatch.
const NAMESPACE: &str = "Footfall/ProductImport";

/// What an invocation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows, by what became of them.
    pub rows: Rows,
    /// Files whose every row is done.
    pub finished: u64,
    /// Files that were not imported, or not to their end.
    pub refused: u64,
    /// Files that are gone on with later.
    pub continued: u64,
    /// Objects that an import had written.
    pub skipped: u64,
    /// Objects that were deleted or replaced meanwhile.
    pub gone: u64,
}

impl Summary {
    /// The line.
    #[must_use]
    pub fn metrics(&self, took: Duration, has_failed: bool) -> String {
        let Summary { rows, finished, refused, continued, skipped, gone } = *self;
        let counts = [
            ("RowsRead", rows.read),
            ("RowsCreated", rows.created),
            ("RowsUnchanged", rows.unchanged),
            ("RowsFailed", rows.failed),
            ("FilesFinished", finished),
            ("FilesRefused", refused),
            ("FilesContinued", continued),
            ("FilesSkipped", skipped),
            ("FilesGone", gone),
            ("InvocationsFailed", u64::from(has_failed)),
        ];
        let mut metrics: Vec<Value> = counts.iter().map(|(name, _)| json!({"Name": name, "Unit": "Count"})).collect();
        metrics.push(json!({"Name": "Duration", "Unit": "Milliseconds"}));
        let mut line = json!({
            "_aws": {
                "Timestamp": now().millis(),
                "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [[]], "Metrics": metrics}],
            },
            "Duration": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        });
        for (name, count) in counts {
            line[name] = count.into();
        }
        line.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_that_the_line_declares_has_a_value() {
        let rows = Rows { read: 6, created: 3, unchanged: 2, failed: 1 };
        let line = Summary { rows, ..Summary::default() }.metrics(Duration::from_millis(1_500), true);
        let line: Value = serde_json::from_str(&line).unwrap();
        let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
        assert!(metrics.iter().all(|metric| line[metric["Name"].as_str().unwrap()].is_u64()), "{line}");
        assert_eq!(
            (&line["RowsCreated"], &line["Duration"], &line["InvocationsFailed"]),
            (&json!(3), &json!(1_500), &json!(1))
        );
    }
}
