//! The demo shop: products, customers, and visitors whose events come in through the gateway like anybody else's.
//!
//! `catalog` is what it sells, `shop` makes that once. `traffic` is what visitors do, by the popularity of products
//! (`popularity`) and the hour (`rhythm`). `play` sends it and keeps the answer key (`key`), which knows by bounds of the
//! watermark (`tide`) what counts. Nothing of it knows the job: where the key and the counts agree, both are right.

mod args;
mod catalog;
mod event;
mod gateway;
mod key;
mod play;
mod popularity;
mod rhythm;
mod shop;
mod tide;
mod traffic;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use dataflow::classify::Rules;
use dataflow::kafka::KafkaArgs;
use schemas::{Currency, EventTime, Window};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

pub use self::args::DemoArgs;
pub(crate) use self::gateway::Gateway;
pub(crate) use self::key::Count;
use self::key::{Key, Minute};
pub(crate) use self::shop::FILE;
pub(crate) use self::traffic::Trouble;
use crate::checklist::say;
use crate::welcome::Welcome;

/// What a demo is made of.
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Events a second, on the average of a day.
    pub(crate) rate: u32,
    pub(crate) gateway: Gateway,
    pub(crate) currency: Currency,
    /// Where it remembers what it has made.
    pub(crate) file: PathBuf,
    pub(crate) kafka: KafkaArgs,
    /// Where its events come to.
    pub(crate) topic: String,
    /// What the job's counts depend on.
    pub(crate) rules: Rules,
    /// What is said once the visitors come, of the product that is looked at most.
    pub(crate) welcome: Welcome,
}

/// Old events that a fault asks for.
struct Burst {
    events: usize,
    millis_ago: Range<i64>,
    /// Is told how many were accepted.
    sent: oneshot::Sender<usize>,
}

/// A demo that runs, for those who ask it and trouble it.
#[derive(Clone)]
pub(crate) struct Demo {
    shared: Arc<Shared>,
    bursts: mpsc::Sender<Burst>,
}

/// What the demo and those who ask it share.
#[derive(Default)]
struct Shared {
    trouble: Mutex<Trouble>,
    /// None until the visitors come.
    books: Mutex<Option<Books>>,
}

/// The key, and what products are called in it.
struct Books {
    key: Key,
    product_ids: Vec<String>,
    partitions: u32,
}

/// A minute of the answer key: for each product that was looked at its id and count, or nothing at all.
pub(crate) type KeyMinute = (Window, Option<Vec<(String, Count)>>);

impl Demo {
    /// A demo, and what plays it until `stop`.
    pub(crate) fn new(plan: Plan, stop: CancellationToken) -> (Self, impl Future<Output = ()>) {
        let shared = Arc::new(Shared::default());
        let (bursts, asked) = mpsc::channel(1);
        let demo = Demo { shared: Arc::clone(&shared), bursts };
        let play = async move {
            let played = stop.run_until_cancelled(play::play(plan, &shared, asked)).await;
            if let Some(Err(problem)) = played {
                say(&format!("the demo ends: {problem}; everything else goes on"));
            }
        };
        (demo, play)
    }

    /// The last minutes that are over, at most so many, the first one first.
    ///
    /// # Errors
    /// While there are no visitors yet.
    pub(crate) fn key(&self, minutes: u32) -> Result<Vec<KeyMinute>, String> {
        let guard = lock(&self.shared.books);
        let books = guard.as_ref().ok_or_else(not_yet)?;
        let named = |(product, count): (u16, Count)| (books.product_ids[usize::from(product)].clone(), count);
        let minute = |(window, minute)| match minute {
            Minute::Unknown => (window, None),
            Minute::Known(counts) => (window, Some(counts.into_iter().map(named).collect())),
        };
        Ok(books.key.minutes(minutes, now()).into_iter().map(minute).collect())
    }

    /// The ids of its products, and the number of partitions that its events go to.
    ///
    /// # Errors
    /// While there are no visitors yet.
    pub(crate) fn products(&self) -> Result<(Vec<String>, u32), String> {
        let guard = lock(&self.shared.books);
        let books = guard.as_ref().ok_or_else(not_yet)?;
        Ok((books.product_ids.clone(), books.partitions))
    }

    /// What goes wrong from now on.
    pub(crate) fn set_trouble(&self, trouble: Trouble) {
        *lock(&self.shared.trouble) = trouble;
    }

    /// Sends so many events that are between so many milliseconds old; tells how many were accepted.
    ///
    /// # Errors
    /// Where there is no demo any more.
    pub(crate) async fn send_old(&self, events: usize, millis_ago: Range<i64>) -> Result<usize, String> {
        let (sent, answer) = oneshot::channel();
        let gone = || "the demo has ended; what it said tells why".to_owned();
        self.bursts.send(Burst { events, millis_ago, sent }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }
}

fn not_yet() -> String {
    "the demo has no visitors yet; try again in a moment".to_owned()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is whole before a lock is given back.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The clock.
fn now() -> EventTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = i64::try_from(since.as_millis()).unwrap_or(0);
    EventTime::from_millis(millis).unwrap_or(EventTime::MIN)
}
