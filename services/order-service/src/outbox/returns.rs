//! Stock of cancelled orders, back to the catalog.

use std::sync::Arc;

use service_kit::Id;
use tokio::task::JoinSet;

use super::relay::Carrier;
use super::store::{Row, Target};
use crate::Orders;

/// Gives stock back by releasing reservations.
pub(super) struct Returns(pub(super) Arc<Orders>);

impl Carrier for Returns {
    const TARGET: Target = Target::Stock;
    const AT_ONCE: i64 = 16;

    async fn send(&mut self, rows: &[Row]) -> Result<Vec<i64>, String> {
        let mut releases = JoinSet::new();
        for Row { id, order_id, .. } in rows.iter().cloned() {
            let orders = Arc::clone(&self.0);
            releases.spawn(async move {
                let order = Id::new(order_id).ok_or_else(|| format!("the order id {order_id} is none"))?;
                let released = orders.stock.release(order).await;
                released.map(|()| id).map_err(|problem| problem.kind().slug().to_owned())
            });
        }
        let (sent, failed): (Vec<_>, Vec<_>) = releases.join_all().await.into_iter().partition(Result::is_ok);
        let sent: Vec<_> = sent.into_iter().flatten().collect();
        match failed.into_iter().next() {
            Some(Err(reason)) if sent.is_empty() => Err(reason),
            _ => Ok(sent),
        }
    }
}
