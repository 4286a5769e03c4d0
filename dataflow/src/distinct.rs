//! Distinct: of the looks at a product in a window, only each user's first one counts.
//!
//! Every pair of user and product has one worker, by [`placement`](crate::block::placement), which remembers the pairs
//! that it has seen in each open window. When the frontier passes a window, the worker emits its share of the counts,
//! pre-aggregated to `(window, product, +k)`, as updates of a differential collection; retracts them when no event can
//! change them any more, so that no arrangement keeps what is over; and frees the window's memory.
//!
//! Where lateness is allowed, an event may belong to a window that its own partition has closed. It then takes effect at
//! a later time, which its partition's contents decide, and its users are added when the frontier passes that time. So
//! the updates of every time are the same however the partitions are interleaved.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use prometheus_client::metrics::gauge::Gauge;
use schemas::Window;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use crate::block::{Block, Seen, product_hash, user_hash};
use crate::control::Control;
use crate::live::LiveNews;
use crate::metrics::{ByWorker, Metrics};
use crate::windows::Windows;

/// The dataflow's timestamp: the ordinal of the window that becomes final when the frontier passes it.
pub type Time = u64;

/// How many users a worker has seen looking at a product in a window.
pub type Increment = ((Window, String), Time, i64);

/// The streams of [`distinct`].
pub struct Distinct<'scope> {
    /// What has become final, as updates of a differential collection.
    pub increments: StreamVec<'scope, Time, Increment>,
    /// How many users more than at the last look each product of an open window has, here.
    pub live: StreamVec<'scope, Time, LiveNews>,
}

/// What the operator does beyond counting users once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DistinctSettings {
    /// How many windows after its own time an event may change a row.
    pub horizon_windows: Time,
    /// How often it tells the counts of open windows; `None`: never.
    pub live_interval: Option<Duration>,
}

/// Counts each user once per product and window.
pub fn distinct<'scope>(
    blocks: StreamVec<'scope, Time, Block>,
    settings: DistinctSettings,
    control: Arc<Control>,
    register: Arc<Windows>,
    metrics: &Metrics,
) -> Distinct<'scope> {
    let scope = blocks.scope();
    let by_worker = ByWorker { worker: scope.index() };
    let entries = metrics.distinct_entries.get_or_create_owned(&by_worker);
    let mut builder = OperatorBuilder::new("Distinct".to_owned(), scope);
    let activator = scope.activator_for(builder.operator_info().address);
    let mut input = builder.new_input(blocks, Exchange::new(|block: &Block| block.destination));
    let (increments_output, increments) = builder.new_output();
    let (live_output, live) = builder.new_output();
    let mut increments_output = OutputBuilder::<_, CapacityContainerBuilder<Vec<Increment>>>::from(increments_output);
    let mut live_output = OutputBuilder::<_, CapacityContainerBuilder<Vec<_>>>::from(live_output);
    let workers = scope.peers() as u64;
    builder.build(move |mut capabilities| {
        let tells_live = settings.live_interval.is_some();
        // For the word that all of a replay is told; there may be no open window when it is due.
        let mut unsettled = capabilities.pop().filter(|_| tells_live);
        let mut state = OpenWindows::new(settings, register, entries);
        let mut last_told = Instant::now();
        move |frontiers| {
            let (mut increments, mut live) = (increments_output.activate(), live_output.activate());
            input.for_each(|capability, blocks| {
                for block in blocks.drain(..) {
                    let (origin, bytes) = (block.origin as usize, block.bytes());
                    let time = |time: Time| capability.delayed(&time, 0);
                    let live_time = |time: Time| tells_live.then(|| capability.delayed(&time, 1));
                    state.take(block, time, live_time);
                    control.taken_in(origin, bytes);
                }
            });
            while let Some((time, due)) = state.take_due(|time| !frontiers[0].less_equal(time)) {
                let mut session = increments.session(&due.capability);
                state.emit(time, &due.revisions, |update| session.give(update));
            }
            let Some(interval) = settings.live_interval else { return };
            let has_settled = unsettled.is_some() && control.has_settled();
            if has_settled || last_told.elapsed() >= interval {
                last_told = Instant::now();
                state.tell_live(|capability, update| live.session(capability).give(update));
            }
            if let Some(capability) = unsettled.take_if(|_| has_settled) {
                live.session(&capability).give_iterator((0..workers).map(|to| LiveNews::CaughtUp { to }));
            }
            // It must not hold time back.
            unsettled = unsettled.take().and_then(|mut capability| {
                let open = frontiers[0].frontier().first().copied()?;
                capability.try_downgrade(&open).ok().map(|()| capability)
            });
            if state.has_news() || unsettled.is_some() {
                activator.activate_after(interval.saturating_sub(last_told.elapsed()));
            }
        }
    });
    Distinct { increments, live }
}

/// What the frontier has not passed.
struct OpenWindows {
    /// The users of each window that may still change.
    windows: BTreeMap<Window, UniqueUsers>,
    /// The times at which something is to be emitted.
    due: BTreeMap<Time, Due>,
    settings: DistinctSettings,
    register: Arc<Windows>,
    entries: Gauge,
}

/// What is to be emitted at a time.
struct Due {
    capability: Capability<Time>,
    live_capability: Option<Capability<Time>>,
    /// Events of earlier windows.
    revisions: Vec<Block>,
}

impl OpenWindows {
    const fn new(settings: DistinctSettings, register: Arc<Windows>, entries: Gauge) -> Self {
        OpenWindows { windows: BTreeMap::new(), due: BTreeMap::new(), settings, register, entries }
    }

    /// Takes a block in: its users at once, unless they count later.
    fn take(
        &mut self,
        block: Block,
        capability: impl Fn(Time) -> Capability<Time>,
        live_capability: impl Fn(Time) -> Option<Capability<Time>>,
    ) {
        let new_due = |time: Time| Due {
            capability: capability(time),
            live_capability: live_capability(time),
            revisions: Vec::new(),
        };
        if let Some(time) = block.takes_effect {
            self.due.entry(time).or_insert_with(|| new_due(time)).revisions.push(block);
            return;
        }
        let mut first_seen = 0;
        let mut events = block.iter().peekable();
        // Neighbours nearly always share their window: look it up once for a run of them.
        while let Some(&Seen { window, .. }) = events.peek() {
            let users = self.windows.entry(window).or_insert_with(|| {
                self.register.open(window);
                UniqueUsers::new(self.settings.live_interval.is_some())
            });
            let time = Time::from(window.ordinal());
            self.due.entry(time).or_insert_with(|| new_due(time));
            while let Some(event) = events.next_if(|event| event.window == window) {
                first_seen += i64::from(users.insert(event.product, event.user, event.hash));
            }
        }
        self.entries.inc_by(first_seen);
    }

    fn take_due(&mut self, has_passed: impl Fn(&Time) -> bool) -> Option<(Time, Due)> {
        let first = self.due.first_entry().filter(|first| has_passed(first.key()))?;
        Some(first.remove_entry())
    }

    /// Emits what counts from `time` on, and frees the windows that nothing can change after it.
    fn emit(&mut self, time: Time, revisions: &[Block], mut give: impl FnMut(Increment)) {
        let horizon = self.settings.horizon_windows;
        let mut emit = |window: Window, product: String, count: i64| {
            let key = (window, product);
            give((key.clone(), time, count));
            give((key, Time::from(window.ordinal()) + horizon + 1, -count));
        };
        let own = u32::try_from(time).ok().map(Window::from_ordinal);
        if let Some((window, users)) = own.and_then(|window| self.windows.get_key_value(&window)) {
            for (product, count) in users.counts() {
                emit(*window, product.to_owned(), count);
            }
            self.register.close(*window);
        }
        let mut added: BTreeMap<(Window, String), i64> = BTreeMap::new();
        for event in revisions.iter().flat_map(Block::iter) {
            let users = self.windows.entry(event.window).or_insert_with(|| UniqueUsers::new(false));
            if users.insert(event.product, event.user, event.hash) {
                self.entries.inc();
                *added.entry((event.window, text(event.product).to_owned())).or_default() += 1;
            }
        }
        for ((window, product), count) in added {
            emit(window, product, count);
        }
        let is_over = |window: &Window| Time::from(window.ordinal()) + horizon <= time;
        while let Some(first) = self.windows.first_entry().filter(|first| is_over(first.key())) {
            self.entries.dec_by(i64::try_from(first.remove().len()).unwrap_or(i64::MAX));
        }
    }

    /// Tells by how much the counts of open windows have grown since the last time.
    fn tell_live(&mut self, mut give: impl FnMut(&Capability<Time>, LiveNews)) {
        for (time, due) in &self.due {
            let window = u32::try_from(*time).ok().map(Window::from_ordinal);
            let users = window.and_then(|window| self.windows.get_mut(&window));
            let (Some(window), Some(users), Some(capability)) = (window, users, &due.live_capability) else { continue };
            for (product, grown) in users.take_news() {
                give(capability, LiveNews::Grown { window, product, users: grown });
            }
        }
    }

    /// Whether an open window has counts that were not told.
    fn has_news(&self) -> bool {
        self.windows.values().any(UniqueUsers::has_news)
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
    news: Option<News>,
}

/// Which products have got users since somebody asked.
#[derive(Debug, Default)]
struct News {
    /// The count that was told last, by product.
    told: Vec<i64>,
    /// The products whose count is another one, each once.
    grown: Vec<u32>,
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
    /// Nobody so far. `keeps_news`: whether it will be asked which products have grown.
    #[must_use]
    pub fn new(keeps_news: bool) -> Self {
        UniqueUsers { news: keeps_news.then(News::default), ..UniqueUsers::default() }
    }

    /// By how many users each product has grown since the last call, and only those that have.
    fn take_news(&mut self) -> Vec<(String, i64)> {
        let Some(news) = &mut self.news else { return Vec::new() };
        let mut grown = Vec::with_capacity(news.grown.len());
        for index in news.grown.drain(..) {
            let (count, told) = (self.counts[index as usize], &mut news.told[index as usize]);
            grown.push((text(self.product_ids.get(index)).to_owned(), count - *told));
            *told = count;
        }
        grown
    }

    fn has_news(&self) -> bool {
        self.news.as_ref().is_some_and(|news| !news.grown.is_empty())
    }

    /// Takes note that `user` has looked at `product`; returns whether that is the first time. `hash` is their
    /// [`placement`](crate::block::placement).
    pub fn insert(&mut self, product: &[u8], user: &[u8], hash: u64) -> bool {
        let product = self.product_index(product);
        let UniqueUsers { pairs, user_ids, product_hashes, .. } = self;
        let is_same = |pair: &Pair| pair.product == product && pair.user(user_ids) == user;
        let rehash = |pair: &Pair| pair.placement(product_hashes, user_ids);
        let Entry::Vacant(place) = pairs.entry(hash, is_same, rehash) else { return false };
        place.insert(Pair::new(product, user, user_ids));
        let count = &mut self.counts[product as usize];
        if let Some(news) = &mut self.news {
            news.told.resize(news.told.len().max(product as usize + 1), 0);
            if news.told[product as usize] == *count {
                news.grown.push(product);
            }
        }
        *count += 1;
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

/// An id, which was decoded from valid UTF-8.
fn text(id: &[u8]) -> &str {
    std::str::from_utf8(id).unwrap_or("\u{FFFD}")
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
