//! Distinct: of the looks at a product in a window, only each user's first one counts.
//!
//! Every pair of user and product has one worker, by [`placement`](crate::block::placement), which remembers the pairs
//! that it has seen in each open window. When the frontier passes a window, the worker emits its share of the counts,
//! pre-aggregated to `(window, product, +k)`, as updates of a differential collection; retracts them one
//! window later, so that no arrangement keeps what is over; and frees the window's memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use prometheus_client::metrics::gauge::Gauge;
use schemas::Window;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::{Capability, Operator};

use crate::block::{Block, Seen, product_hash, user_hash};
use crate::control::Control;
use crate::metrics::{ByWorker, Metrics};
use crate::partitions::Partitions;
use crate::windows::Windows;

/// The dataflow's timestamp: the ordinal of the window that becomes final when the frontier passes it.
pub type Time = u64;

/// How many users a worker has seen looking at a product in a window.
pub type Increment = ((Window, String), Time, i64);

/// Counts each user once per product and window.
pub fn distinct<'scope>(
    blocks: StreamVec<'scope, Time, Block>,
    control: Arc<Control>,
    partitions: Arc<Partitions>,
    register: Arc<Windows>,
    metrics: &Metrics,
) -> StreamVec<'scope, Time, Increment> {
    let by_worker = ByWorker { worker: blocks.scope().index() };
    let entries = metrics.distinct_entries.get_or_create_owned(&by_worker);
    let exchange = Exchange::new(|block: &Block| block.destination);
    blocks.unary_frontier::<CapacityContainerBuilder<Vec<Increment>>, _, _, _>(exchange, "Distinct", |_, _| {
        let mut state = OpenWindows { windows: BTreeMap::new(), register, entries };
        move |(input, frontier), output| {
            input.for_each(|capability, blocks| {
                for block in blocks.drain(..) {
                    state.insert(&block, |window| capability.delayed(&Time::from(window.ordinal()), 0));
                    partitions.get(block.partition).counted.fetch_add(block.len() as u64, Ordering::Relaxed);
                    control.taken_in(block.origin as usize, block.bytes());
                }
            });
            while let Some((window, closed)) = state.take_closed(|time| !frontier.less_equal(time)) {
                let mut session = output.session(&closed.capability);
                let time = Time::from(window.ordinal());
                for (product, count) in closed.users.counts() {
                    let key = (window, product.to_owned());
                    session.give((key.clone(), time, count));
                    session.give((key, time + 1, -count));
                }
                state.register.close(window);
            }
        }
    })
}

/// The windows that the frontier has not passed.
struct OpenWindows {
    windows: BTreeMap<Window, OpenWindow>,
    register: Arc<Windows>,
    entries: Gauge,
}

struct OpenWindow {
    capability: Capability<Time>,
    users: UniqueUsers,
}

impl OpenWindows {
    fn insert(&mut self, block: &Block, capability: impl Fn(Window) -> Capability<Time>) {
        let mut first_seen = 0;
        let mut events = block.iter().peekable();
        // Neighbours nearly always share their window: look it up once for a run of them.
        while let Some(&Seen { window, .. }) = events.peek() {
            let open = self.windows.entry(window).or_insert_with(|| {
                self.register.open(window);
                OpenWindow { capability: capability(window), users: UniqueUsers::default() }
            });
            while let Some(event) = events.next_if(|event| event.window == window) {
                first_seen += i64::from(open.users.insert(event.product, event.user, event.hash));
            }
        }
        self.entries.inc_by(first_seen);
    }

    fn take_closed(&mut self, is_closed: impl Fn(&Time) -> bool) -> Option<(Window, OpenWindow)> {
        let first = self.windows.first_entry().filter(|first| is_closed(&Time::from(first.key().ordinal())))?;
        let (window, closed) = first.remove_entry();
        self.entries.dec_by(i64::try_from(closed.users.len()).unwrap_or(i64::MAX));
        Some((window, closed))
    }
}

/// The exact set of pairs of user and product of one window, and each product's number of users.
#[derive(Debug, Default)]
pub struct UniqueUsers {
    products: HashTable<u32>,
    product_hashes: Vec<u64>,
    product_ids: Arena,
    counts: Vec<i64>,
    pairs: HashTable<Pair>,
    user_ids: Arena,
}

/// A user who has looked at a product.
#[derive(Clone, Copy, Debug)]
struct Pair {
    /// The user's id padded with zeros where it fits in, else its place in the arena.
    user: [u8; 16],
    user_len: u16,
    product: u32,
}

impl UniqueUsers {
    /// Takes note that `user` has looked at `product`; returns whether that is the first time. `hash` is their
    /// [`placement`](crate::block::placement).
    pub fn insert(&mut self, product: &[u8], user: &[u8], hash: u64) -> bool {
        let product = self.product_index(product);
        let UniqueUsers { pairs, user_ids, product_hashes, .. } = self;
        let is_same = |pair: &Pair| pair.product == product && pair.user(user_ids) == user;
        let rehash = |pair: &Pair| pair.placement(product_hashes, user_ids);
        let Entry::Vacant(place) = pairs.entry(hash, is_same, rehash) else { return false };
        place.insert(Pair::new(product, user, user_ids));
        self.counts[product as usize] += 1;
        true
    }

    /// How many pairs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether nobody has looked at anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Each product's number of users, in the order in which the products were first seen.
    pub fn counts(&self) -> impl Iterator<Item = (&str, i64)> {
        // The ids were decoded from valid UTF-8.
        let text = |id| std::str::from_utf8(id).unwrap_or("\u{FFFD}");
        (0..).zip(&self.counts).map(move |(index, count)| (text(self.product_ids.get(index)), *count))
    }

    fn product_index(&mut self, product: &[u8]) -> u32 {
        let UniqueUsers { products, product_hashes, product_ids, counts, .. } = self;
        let hash = product_hash(product);
        let is_same = |index: &u32| product_ids.get(*index) == product;
        match products.entry(hash, is_same, |index| product_hashes[*index as usize]) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(vacant) => {
                let index = product_ids.push(product);
                product_hashes.push(hash);
                counts.push(0);
                vacant.insert(index);
                index
            }
        }
    }
}

impl Pair {
    fn new(product: u32, id: &[u8], arena: &mut Arena) -> Self {
        let mut user = [0; 16];
        match user.get_mut(..id.len()) {
            Some(place) => place.copy_from_slice(id),
            None => user[..4].copy_from_slice(&arena.push(id).to_le_bytes()),
        }
        // The decoder lets no id of more than 256 bytes pass.
        Pair { user, user_len: id.len() as u16, product }
    }

    fn user<'a>(&'a self, arena: &'a Arena) -> &'a [u8] {
        match self.user.get(..usize::from(self.user_len)) {
            Some(id) => id,
            None => arena.get(u32::from_le_bytes([self.user[0], self.user[1], self.user[2], self.user[3]])),
        }
    }

    fn placement(&self, product_hashes: &[u64], arena: &Arena) -> u64 {
        user_hash(product_hashes[self.product as usize], self.user(arena))
    }
}

/// Byte strings back to back, numbered from 0.
#[derive(Debug, Default)]
struct Arena {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Arena {
    fn push(&mut self, string: &[u8]) -> u32 {
        self.bytes.extend_from_slice(string);
        self.ends.push(self.bytes.len());
        let index = self.ends.len() - 1;
        u32::try_from(index).expect("2^32 ids of one minute do not fit into memory")
    }

    fn get(&self, index: u32) -> &[u8] {
        let index = index as usize;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[index]]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::block::placement;

    /// Ids that share beginnings and lengths, some of them too long to be kept inline.
    fn id() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => (0..30_u8).prop_map(|id| format!("u{id}")),
            1 => (14..19_usize, 0..3_u8).prop_map(|(len, last)| format!("{}{last}", "x".repeat(len))),
            1 => (200..256_usize).prop_map(|len| "\u{e9}".repeat(len / 2)),
            1 => (1..3_usize).prop_map(|len| "\0".repeat(len)),
        ]
    }

    proptest! {
        #[test]
        fn unique_users_are_an_exact_set(looks in prop::collection::vec((id(), id()), 0..400)) {
            let mut users = UniqueUsers::default();
            let mut model: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
            for (product, user) in &looks {
                let hash = placement(product.as_bytes(), user.as_bytes());
                let is_new = model.entry(product).or_default().insert(user);
                prop_assert_eq!(users.insert(product.as_bytes(), user.as_bytes(), hash), is_new);
            }
            let counts: BTreeMap<&str, i64> = users.counts().collect();
            let expected: BTreeMap<&str, i64> = model.iter().map(|(product, users)| (*product, users.len() as i64)).collect();
            prop_assert_eq!(counts, expected);
            prop_assert_eq!(users.len(), model.values().map(BTreeSet::len).sum::<usize>());
        }
    }

    #[test]
    fn pairs_whose_hashes_are_equal_are_still_told_apart() {
        // Two pairs: so few are never placed anew, which would be by their own hashes.
        let mut users = UniqueUsers::default();
        for (product, user, is_new) in [("a", "u", true), ("b", "u", true), ("a", "u", false), ("b", "u", false)] {
            assert_eq!(users.insert(product.as_bytes(), user.as_bytes(), 7), is_new, "{product} {user}");
        }
    }
}
