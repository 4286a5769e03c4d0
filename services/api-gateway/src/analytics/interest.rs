//! Who waits for rows: streams of all products, and those of one, which are not woken for the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::memory::Row;

/// Everybody who waits.
#[derive(Debug, Default)]
pub(super) struct Interest {
    all: watch::Sender<()>,
    products: Mutex<HashMap<String, watch::Sender<()>>>,
}

/// Rings when there may be rows for its owner.
#[derive(Debug)]
pub(super) struct Bell {
    interest: Arc<Interest>,
    product_id: Option<String>,
    rings: watch::Receiver<()>,
}

impl Interest {
    /// A bell for the rows of one product, or of all.
    pub(super) fn bell(self: &Arc<Self>, product_id: Option<String>) -> Bell {
        let rings = match &product_id {
            None => self.all.subscribe(),
            Some(product_id) => {
                let mut products = self.products.lock().unwrap_or_else(PoisonError::into_inner);
                products.entry(product_id.clone()).or_default().subscribe()
            }
        };
        Bell { interest: Arc::clone(self), product_id, rings }
    }

    /// Wakes those for whom there is one of these rows.
    pub(super) fn ring(&self, rows: &[Arc<Row>]) {
        if rows.is_empty() {
            return;
        }
        self.all.send_replace(());
        let products = self.products.lock().unwrap_or_else(PoisonError::into_inner);
        if products.is_empty() {
            return;
        }
        for row in rows {
            if let Some(product) = products.get(&row.row.row.product_id) {
                product.send_replace(());
            }
        }
    }

    /// Wakes everybody.
    pub(super) fn ring_all(&self) {
        self.all.send_replace(());
        let products = self.products.lock().unwrap_or_else(PoisonError::into_inner);
        for product in products.values() {
            product.send_replace(());
        }
    }
}

impl Bell {
    /// Waits until it rings, or has rung since the last time.
    pub(super) async fn rung(&mut self) {
        // The sender lives as long as its receivers, but for the moment of a drop.
        if self.rings.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        let Some(product_id) = &self.product_id else { return };
        let mut products = self.interest.products.lock().unwrap_or_else(PoisonError::into_inner);
        // This one's receiver is still there.
        if products.get(product_id).is_some_and(|rings| rings.receiver_count() <= 1) {
            products.remove(product_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use schemas::{ResultRow, TopicRow, Window};

    use super::*;
    use crate::analytics::memory::Memory;

    fn row(product: &str) -> Arc<Row> {
        let window = Window::from_ordinal(1);
        let row = ResultRow { product_id: product.to_owned(), window, unique_user_count: 1, revision: 0 };
        let row = Some(TopicRow { row, is_final: false });
        Memory::default().take(0, 0, row, std::time::Instant::now()).unwrap()
    }

    fn has_rung(bell: &mut Bell) -> bool {
        bell.rung().now_or_never().is_some()
    }

    #[test]
    fn a_row_wakes_those_who_wait_for_its_product_or_for_all_and_nobody_else() {
        let interest = Arc::new(Interest::default());
        let mut bells = [None, Some("a"), Some("b")].map(|product| interest.bell(product.map(str::to_owned)));
        interest.ring(&[row("a")]);
        assert_eq!(bells.each_mut().map(has_rung), [true, true, false]);
        assert_eq!(bells.each_mut().map(has_rung), [false; 3]);
        interest.ring_all();
        assert_eq!(bells.each_mut().map(has_rung), [true; 3]);
    }

    #[test]
    fn a_product_that_nobody_waits_for_any_more_is_forgotten() {
        let interest = Arc::new(Interest::default());
        let (first, mut second) = (interest.bell(Some("a".to_owned())), interest.bell(Some("a".to_owned())));
        drop(first);
        interest.ring(&[row("a")]);
        assert!(has_rung(&mut second));
        drop(second);
        assert!(interest.products.lock().unwrap().is_empty());
    }
}
