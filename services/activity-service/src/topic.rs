//! Waiting for the topic: without it the service is not ready.

use std::time::Duration;

use kafka_client::Inspector;
use service_kit::Gate;
use tokio_util::sync::CancellationToken;

/// How long a broker may take to answer; a stopping service waits for as long.
const PATIENCE: Duration = Duration::from_secs(2);
/// The pauses between questions grow from the first to the last.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(8)];

/// Opens the gate once a broker has told of the topic. A topic that goes away later is met when events are published.
pub(crate) async fn wait_for(mut inspector: Inspector, topic: String, gate: Gate, stop: CancellationToken) {
    let [mut pause, longest] = PAUSES;
    loop {
        let name = topic.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let found = inspector.partitions(&name, PATIENCE);
            (inspector, found)
        });
        let Ok((returned, found)) = asked.await else {
            tracing::error!(topic, "asking Kafka about the topic panicked; restart the service");
            return;
        };
        inspector = returned;
        match found {
            Ok(partitions) => {
                tracing::info!(topic, partitions, "the topic is there");
                return gate.set(true);
            }
            Err(error) => tracing::warn!(%error, "not ready; asking again"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(longest);
    }
}
