//! Distinct: of the looks at a product in a window, only each user's first one counts.
//!
//! Every pair of user and product has one worker, which remembers the pairs that it has seen in each open window. When
//! the frontier passes a window, the worker emits its share of the counts, pre-aggregated to `(window, product, +k)`, as
//! updates of a differential collection. Once no event can change the window any more, its memory is freed, or serves the
//! next one.
//!
//! Where lateness is allowed, an event may belong to a window that its own partition has closed. It then takes effect at
//! a later time, which its partition's contents decide, and its users are added when the frontier passes that time. So
//! the updates of every time are the same however the partitions are interleaved.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus_client::metrics::gauge::Gauge;
use schemas::Window;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use crate::block::Block;
use crate::control::Control;
use crate::id::ProductId;
use crate::live::LiveNews;
use crate::metrics::{ByWorker, Metrics};
use crate::unique_users::{Look, UniqueUsers};
use crate::windows::Windows;

/// The dataflow's timestamp: the ordinal of the window that becomes final when the frontier passes it.
pub type Time = u64;

/// How many users a worker has seen looking at a product in a window.
pub type Increment = ((Window, ProductId), Time, i64);

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

/// How many windows may wait for another use of their room: about as many as open before the next one closes.
const MAX_SPARES: usize = 2;

/// What the frontier has not passed.
struct OpenWindows {
    /// The users of each window that may still change.
    windows: BTreeMap<Window, UniqueUsers>,
    /// Those that have closed: their room is there already, and nothing has to grow.
    spares: Vec<UniqueUsers>,
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
        OpenWindows { windows: BTreeMap::new(), spares: Vec::new(), due: BTreeMap::new(), settings, register, entries }
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
        // Neighbours nearly always share their window: look it up once for a run of them.
        for run in block.looks.chunk_by(|before, look| before.window == look.window) {
            let Some(&Look { window, .. }) = run.first() else { continue };
            let users = self.windows.entry(window).or_insert_with(|| {
                self.register.open(window);
                let keeps_news = self.settings.live_interval.is_some();
                self.spares.pop().unwrap_or_else(|| UniqueUsers::new(keeps_news))
            });
            let time = Time::from(window.ordinal());
            self.due.entry(time).or_insert_with(|| new_due(time));
            for look in run {
                first_seen += i64::from(users.insert(look, &block.long_ids));
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
        let mut emit = |window: Window, product: ProductId, count: i64| give(((window, product), time, count));
        let own = u32::try_from(time).ok().map(Window::from_ordinal);
        if let Some((window, users)) = own.and_then(|window| self.windows.get_key_value(&window)) {
            for (product, count) in users.counts() {
                emit(*window, product, count);
            }
            self.register.close(*window);
        }
        let mut added: BTreeMap<(Window, ProductId), i64> = BTreeMap::new();
        for (look, long) in revisions.iter().flat_map(|block| block.looks.iter().map(|look| (look, &block.long_ids))) {
            let users = self.windows.entry(look.window).or_insert_with(|| UniqueUsers::new(false));
            if users.insert(look, long) {
                self.entries.inc();
                *added.entry((look.window, ProductId::of(look.product, long))).or_default() += 1;
            }
        }
        for ((window, product), count) in added {
            emit(window, product, count);
        }
        let is_over = |window: &Window| Time::from(window.ordinal()) + horizon <= time;
        while let Some(first) = self.windows.first_entry().filter(|first| is_over(first.key())) {
            let mut users = first.remove();
            self.entries.dec_by(i64::try_from(users.len()).unwrap_or(i64::MAX));
            if self.spares.len() < MAX_SPARES && users.keeps_news() == self.settings.live_interval.is_some() {
                users.clear();
                self.spares.push(users);
            }
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
