//! What the load has to say.

use std::time::Duration;

use kit::table::aligned;

use crate::balance::Line;
use crate::books::{Calls, Entries};

/// Times and failures by what was called.
pub(crate) fn calls(entries: &mut Entries) -> String {
    let head = ["call", "answered", "p50 ms", "p95 ms", "p99 ms", "max ms", "sent again"].map(str::to_owned);
    let mut lines = vec![head.to_vec()];
    for (what, calls) in &mut entries.calls {
        lines.push(line(what, calls));
    }
    aligned(&lines)
}

fn line(what: &str, calls: &mut Calls) -> Vec<String> {
    calls.times.sort_unstable();
    let of = |part: f64| format!("{:.1}", percentile(&calls.times, part).as_secs_f64() * 1_000.0);
    vec![
        what.to_owned(),
        calls.times.len().to_string(),
        of(0.5),
        of(0.95),
        of(0.99),
        of(1.0),
        calls.repeated.to_string(),
    ]
}

/// Of sorted times, the one that this part of them is not longer than.
fn percentile(times: &[Duration], part: f64) -> Duration {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "an index")]
    let index = ((times.len() as f64 * part).ceil() as usize).saturating_sub(1);
    times.get(index).copied().unwrap_or_default()
}

/// How often calls failed, by the reason.
pub(crate) fn failures(entries: &Entries) -> String {
    let mut lines = vec![["failed attempts", "how often"].map(str::to_owned).to_vec()];
    let mut sums = std::collections::BTreeMap::new();
    for (why, count) in entries.calls.values().flat_map(|calls| &calls.failed) {
        *sums.entry(*why).or_insert(0) += count;
    }
    lines.extend(sums.iter().map(|(why, count): (&&str, &u64)| vec![(*why).to_owned(), count.to_string()]));
    aligned(&lines)
}

/// The balance, line by line.
pub(crate) fn balance(balance: &[Line]) -> String {
    let mut lines = vec![["balance", "told", "found", ""].map(str::to_owned).to_vec()];
    for line in balance {
        let verdict = if line.is_even() { "even" } else { "NOT EVEN" };
        lines.push(vec![line.what.to_owned(), line.told.to_string(), line.found.to_string(), verdict.to_owned()]);
    }
    aligned(&lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let times: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 0.5), Duration::from_millis(50));
        assert_eq!(percentile(&times, 0.99), Duration::from_millis(99));
        assert_eq!(percentile(&times, 1.0), Duration::from_millis(100));
        assert_eq!(percentile(&[], 0.5), Duration::ZERO);
    }

    #[test]
    fn a_line_that_is_not_even_is_told_so() {
        let lines = [Line { what: "orders", told: 3, found: 4 }];
        assert!(balance(&lines).contains("orders      3      4  NOT EVEN"), "{}", balance(&lines));
    }
}
