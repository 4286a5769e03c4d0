//! What imports are told by flags and variables.

use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

/// The share of the time that is kept for ending well, where nothing else is set.
const SHARE_OF_TIME: u32 = 5;
/// The most that is kept so.
const LONGEST_MARGIN: Duration = Duration::from_secs(20);

/// How files are imported.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Import")]
pub struct ImportArgs {
    /// How many rows are sent at once
    #[arg(long, env = "IMPORT_CONCURRENCY", value_name = "N", default_value_t = 32, value_parser = concurrency)]
    pub import_concurrency: usize,

    /// How long until the report and the file of errors are written again
    #[arg(long, env = "IMPORT_CHECKPOINT_INTERVAL", value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub import_checkpoint_interval: Duration,

    /// After how many rows they are written at the latest
    #[arg(long, env = "IMPORT_CHECKPOINT_ROWS", value_name = "N", default_value_t = 10_000)]
    pub import_checkpoint_rows: u64,
}

/// A length of time such as `500ms`, `30s` or `2min`.
///
/// # Errors
/// What is no length of time, with examples.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write a length of time such as 500ms, 30s or 2min"))
}

fn concurrency(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=1_024) => Ok(number),
        _ => Err("it must be a number from 1 to 1024".to_owned()),
    }
}

/// Until when an import may run.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimit {
    /// From then on, no row is sent.
    pub stop_at: Instant,
    /// From then on, no answer is waited for: the rest of the time is for writing down how far it is.
    pub give_up_at: Instant,
}

impl TimeLimit {
    /// For what has to be over by `end`, with so much time kept for ending well; unset: a fifth of it, and at most 20 s.
    #[must_use]
    pub fn before(end: Instant, margin: Option<Duration>) -> Self {
        let left = end.saturating_duration_since(Instant::now());
        let margin = margin.unwrap_or(LONGEST_MARGIN.min(left / SHARE_OF_TIME)).min(left);
        TimeLimit { stop_at: end - margin, give_up_at: end - margin / 2 }
    }

    /// Whether nothing new is begun.
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.stop_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_fifth_of_the_time_is_kept_and_at_most_twenty_seconds() {
        let begin = Instant::now();
        let seconds = |limit: TimeLimit| ((limit.stop_at - begin).as_secs(), (limit.give_up_at - begin).as_secs());
        let after = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(seconds(TimeLimit::before(after(900), None)), (880, 890));
        assert_eq!(seconds(TimeLimit::before(after(20), None)), (16, 18));
        assert_eq!(seconds(TimeLimit::before(after(20), Some(Duration::from_secs(10)))), (10, 15));
        assert!(TimeLimit::before(after(5), Some(Duration::from_secs(10))).is_over());
    }
}
