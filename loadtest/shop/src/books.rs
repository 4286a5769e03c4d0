//! What clients were told: the balance is held against it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many findings are shown; all are counted.
const SHOWN: usize = 20;

/// An order that a client was told of.
#[derive(Clone, Debug)]
pub(crate) struct Ordered {
    pub(crate) product_id: String,
    pub(crate) quantity: i64,
    pub(crate) is_cancelled: bool,
}

/// What happened to calls of one kind.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// Of each answered attempt.
    pub(crate) times: Vec<Duration>,
    /// How many calls needed more than one attempt.
    pub(crate) repeated: u64,
    /// How many attempts failed, by the reason.
    pub(crate) failed: BTreeMap<&'static str, u64>,
}

/// Everything that clients were told.
#[derive(Debug, Default)]
pub(crate) struct Books(Mutex<Entries>);

#[derive(Debug, Default)]
pub(crate) struct Entries {
    pub(crate) calls: BTreeMap<&'static str, Calls>,
    pub(crate) orders: BTreeMap<String, Ordered>,
    /// The ids of events that were acknowledged.
    pub(crate) events: BTreeSet<String>,
    pub(crate) out_of_stock: u64,
    pub(crate) findings: Vec<String>,
    pub(crate) more_findings: usize,
}

impl Books {
    pub(crate) fn open(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn answered(&self, what: &'static str, time: Duration, attempts: u32) {
        let mut entries = self.open();
        let calls = entries.calls.entry(what).or_default();
        calls.times.push(time);
        calls.repeated += u64::from(attempts > 1);
    }

    pub(crate) fn failed(&self, what: &'static str, why: &'static str) {
        *self.open().calls.entry(what).or_default().failed.entry(why).or_default() += 1;
    }

    /// Something that a client was not promised.
    pub(crate) fn finding(&self, finding: String) {
        let mut entries = self.open();
        if entries.findings.len() < SHOWN {
            entries.findings.push(finding);
        } else {
            entries.more_findings += 1;
        }
    }

    /// An order was confirmed. The same order twice is a finding: each call had a key of its own.
    pub(crate) fn ordered(&self, id: &str, order: Ordered) {
        if self.open().orders.insert(id.to_owned(), order).is_some() {
            self.finding(format!("order {id} was the answer to two different requests"));
        }
    }

    pub(crate) fn cancelled(&self, id: &str) {
        if let Some(order) = self.open().orders.get_mut(id) {
            order.is_cancelled = true;
        }
    }
}
