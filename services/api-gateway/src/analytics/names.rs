//! The names of products, from the catalog. Events name products that are not in it as well: those have none.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::Deserialize;
use service_kit::{Id, Problem};
use tokio::sync::Mutex;

use crate::expand::Asked;
use crate::routes::Upstream;

/// How long a name, or that there is none, is believed.
const BELIEVED_FOR: Duration = Duration::from_secs(60);
/// How long the catalog is left alone after it did not answer: pages ask again and again.
const LEFT_ALONE_FOR: Duration = Duration::from_secs(2);
/// How many products are remembered at most.
const MAX_PRODUCTS: usize = 10_000;
/// How many products the catalog tells at once.
pub(super) const AT_ONCE: usize = service_kit::page::MAX_LIMIT;

/// Names that the catalog has told.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    names: HashMap<Id, (Instant, Option<String>)>,
    failed: Option<(Instant, Problem)>,
}

/// A page of the catalog, as far as it is read here.
#[derive(Deserialize)]
struct Page {
    items: Vec<Product>,
}

#[derive(Deserialize)]
struct Product {
    id: Id,
    name: String,
}

impl Names {
    /// The names of these products, which may be up to [`AT_ONCE`]; those that are not there have none. With names that the
    /// catalog could not tell comes the reason.
    pub(super) async fn of(&self, asked: &Asked<'_>, product_ids: &[&str]) -> (HashMap<Id, String>, Option<Problem>) {
        let ids: Vec<Id> = product_ids.iter().filter_map(|product_id| product_id.parse().ok()).collect();
        // One asks at a time: the others find what it was told.
        let mut known = self.0.lock().await;
        known.forget_old();
        let missing: Vec<Id> = ids.iter().copied().filter(|id| !known.names.contains_key(id)).collect();
        let problem = if missing.is_empty() { None } else { known.ask(asked, &missing).await.err() };
        let name = |id: &Id| Some((*id, known.names.get(id)?.1.clone()?));
        (ids.iter().filter_map(name).collect(), problem)
    }
}

impl Known {
    fn forget_old(&mut self) {
        self.names.retain(|_, (told, _)| told.elapsed() < BELIEVED_FOR);
        self.failed = self.failed.take().filter(|(at, _)| at.elapsed() < LEFT_ALONE_FOR);
    }

    async fn ask(&mut self, asked: &Asked<'_>, ids: &[Id]) -> Result<(), Problem> {
        if let Some((_, problem)) = &self.failed {
            return Err(problem.clone());
        }
        let list = ids.iter().map(Id::to_string).collect::<Vec<_>>().join(",");
        let answer = asked.read(Upstream::ProductCatalog, &format!("/products?ids={list}&limit={AT_ONCE}")).await;
        let page = answer.and_then(|page| serde_json::from_value::<Page>(page).map_err(Problem::internal));
        let page = page.inspect_err(|problem| self.failed = Some((Instant::now(), problem.clone())))?;
        if self.names.len() + ids.len() > MAX_PRODUCTS {
            self.names.clear();
        }
        let now = Instant::now();
        self.names.extend(ids.iter().map(|id| (*id, (now, None))));
        self.names.extend(page.items.into_iter().map(|Product { id, name }| (id, (now, Some(name)))));
        Ok(())
    }
}
