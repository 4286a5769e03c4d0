//! The outbox: what others are told of orders, written in the transaction that makes it true, and sent afterwards.
//!
//! A row has up to three targets: its event goes to Kafka and to the queue, and a cancelled order's stock back to the
//! catalog. Each target has a flag in the row and a loop of its own in the relay, so that none waits for another.
//!
//! * Rows are found by their flags and never behind the last id: a row that commits late has a low one.
//! * Of an order, each target gets one row at a time, by ascending id: the next one is sent once the target has
//!   acknowledged the one before. So a row that is refused holds back its own order and no other.
//! * A row is flagged once the target has acknowledged it. A process that dies in between sends it again, with the same
//!   `event_id`, before any later event of the order: without repetitions, receivers see each event once and in order.
//! * Every row is written in the same way, whether there is a queue or not. Where none is set, nobody looks at its flag;
//!   a queue that is added gets the events of the last `OUTBOX_KEEP`.
//! * An order that was cancelled before it was confirmed has no price, and nobody was told of it: its row has no event and
//!   only releases the stock.

mod kafka;
mod queue;
mod relay;
mod returns;
mod store;

use kafka_client::KafkaArgs;
use service_kit::Problem;
use sqlx::PgConnection;
use tokio::sync::watch;

use crate::order::Record;
use crate::{Args, Orders};

pub use self::queue::QueueArgs;
pub(crate) use self::relay::relay;

/// Where rows go, and how the relay is woken.
#[derive(Debug)]
pub(crate) struct Outbox {
    kafka: KafkaArgs,
    topic: String,
    queue: QueueArgs,
    wake: watch::Sender<()>,
}

impl Outbox {
    pub(crate) fn new(args: &Args) -> Self {
        Outbox {
            kafka: args.kafka.clone(),
            topic: args.kafka_orders_topic.clone(),
            queue: args.queue.clone(),
            wake: watch::Sender::new(()),
        }
    }

    /// Tells the relay, where it is in this process, that something was committed. Elsewhere it looks several times a second.
    pub(crate) fn wake(&self) {
        self.wake.send_replace(());
    }
}

/// Writes what is to be told of an order's present state, and whether its stock goes back.
///
/// # Errors
/// 503 where the database does not answer.
pub(crate) async fn record(
    connection: &mut PgConnection,
    record: &Record,
    releases_stock: bool,
) -> Result<(), Problem> {
    let event = record.event()?;
    let payload = event.as_ref().map(serde_json::to_string).transpose().map_err(Problem::internal)?;
    let event_id = event.map(|event| event.event_id);
    store::insert(connection, record.id, event_id.as_deref(), payload.as_deref(), releases_stock).await?;
    Ok(())
}

/// Measures what waits, and deletes what is older than `OUTBOX_KEEP` and has arrived everywhere.
pub(crate) async fn tidy(orders: &Orders) -> Result<(), Problem> {
    let (pool, has_queue) = (orders.database.pool(), orders.outbox.queue.url().is_some());
    for target in store::Target::ALL.into_iter().filter(|target| *target != store::Target::Queue || has_queue) {
        let (rows, oldest_age_seconds) = store::waiting(pool, target).await?;
        orders.metrics.observe_waiting(target.name(), rows, oldest_age_seconds);
    }
    while store::sweep(pool, orders.limits.outbox_keep.as_secs_f64(), has_queue).await? {}
    Ok(())
}
