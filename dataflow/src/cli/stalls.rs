//! Says what holds the watermark when it does not move: a stall that nobody can explain is the worst kind.

use std::time::Duration;

use tokio::runtime::Runtime;

use crate::job::Job;
use crate::partitions::{Partition, Watermark};

/// How long the watermark may stand still before that is worth a word, and between two words.
const PATIENCE: Duration = Duration::from_secs(30);

/// Logs, while the job runs, which partition holds the watermark back.
pub(super) fn report(runtime: &Runtime, job: &Job) {
    let job = job.clone();
    runtime.spawn(async move {
        let mut before = job.partitions.job_watermark();
        loop {
            tokio::time::sleep(PATIENCE).await;
            let now = job.partitions.job_watermark();
            if let Some(holder) = job.partitions.holder().filter(|_| now == before) {
                tracing::warn!("{}", sentence(&holder));
            }
            before = now;
        }
    });
}

fn sentence(holder: &Partition) -> String {
    let Partition { id, source, .. } = holder;
    let why = match holder.watermark() {
        Watermark::BEGINNING => "it has had no valid event yet".to_owned(),
        watermark => format!("it has had no event that moves its watermark beyond {watermark}"),
    };
    format!(
        "partition {} of {source} has held the watermark for {} s: {why}; no window closes until it has",
        id.0,
        PATIENCE.as_secs()
    )
}
