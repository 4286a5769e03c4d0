//! The answer key: how many different visitors looked at each product in each minute, as the demo knows from what it has
//! sent, without the job.
//!
//! It is as naive as it can be: for each minute and product the set of visitors. An event whose fate depends on what
//! happened around a lost acknowledgement makes a range of the count instead of a guess. Minutes that had begun before the
//! demo are not known: others may have been here before.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;

use dataflow::classify::Rules;
use schemas::{EventTime, Window};

use super::event::{Batch, Event, Item};
use super::tide::{Fate, Tide, millis};

/// How long closed minutes are kept.
const KEPT_MINUTES: usize = 24 * 60;
/// How long the visitors of a closed minute are kept, for what a retry may still add.
const SETTLE_MILLIS: i64 = 120_000;

/// The least and the most different visitors that a product may have had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) least: u32,
    pub(crate) most: u32,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Count { least, most } = self;
        if least == most { write!(f, "{least}") } else { write!(f, "{least}..{most}") }
    }
}

/// What is known of a minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Minute {
    /// It had begun before the demo.
    Unknown,
    /// The products that were looked at, by their places in the catalogue.
    Known(Vec<(u16, Count)>),
}

/// The key.
#[derive(Clone, Debug)]
pub(super) struct Key {
    tide: Tide,
    /// The first minute that is known.
    first: Window,
    /// For each visitor of a product, whether the look counts for certain.
    open: BTreeMap<Window, HashMap<(u16, u32), bool>>,
    closed: VecDeque<(Window, Vec<(u16, Count)>)>,
    /// The time of the earliest event of the request that is not answered yet.
    pending: Option<EventTime>,
}

impl Key {
    /// A key that begins now, for a topic with so many partitions.
    pub(super) fn new(rules: &Rules, partitions: u32, now: EventTime) -> Self {
        Key {
            tide: Tide::new(rules, partitions),
            first: Window::from_ordinal(Window::of(now).ordinal() + 1),
            open: BTreeMap::new(),
            closed: VecDeque::new(),
            pending: None,
        }
    }

    pub(super) const fn tide(&self) -> &Tide {
        &self.tide
    }

    /// A request is on its way: what it holds is not told before it is answered.
    pub(super) fn send(&mut self, batch: &Batch) {
        self.pending = events(batch).map(|event| event.time).min();
    }

    /// The request was answered: its valid items are in the topic, but for those that were refused.
    pub(super) fn acknowledge(&mut self, batch: &Batch, refused: &[usize], now: EventTime) {
        self.pending = None;
        let taken = || {
            let items = batch.items.iter().enumerate().filter(|(index, _)| !refused.contains(index));
            items.filter_map(|(_, item)| event_of(item))
        };
        for event in taken() {
            let fate = self.tide.fate(event.time, event.partition, now);
            self.note(event, fate);
        }
        for event in taken() {
            // No event is ahead of its record, which was written before now.
            let time = event.time.min(now);
            self.tide.note(time, event.partition);
        }
        self.close(now);
    }

    /// There was no answer, and none will be asked for again: nobody knows what has arrived.
    pub(super) fn give_up(&mut self, batch: &Batch, now: EventTime) {
        self.pending = None;
        for event in events(batch) {
            let fate = match self.tide.fate(event.time, event.partition, now) {
                Fate::Late => Fate::Late,
                Fate::Counted | Fate::Unknown => Fate::Unknown,
            };
            self.note(event, fate);
        }
    }

    fn note(&mut self, event: &Event, fate: Fate) {
        let window = Window::of(event.time);
        if fate == Fate::Late || window < self.first || !self.tide.counts(event.action.event_type()) {
            return;
        }
        let is_certain = fate == Fate::Counted;
        if let Some(closed) = self.closed.iter_mut().find(|(closed, _)| *closed == window) {
            // Its visitors are forgotten: this may be one more.
            let count = closed.1.iter_mut().find(|(product, _)| *product == event.product);
            match count {
                Some((_, count)) => count.most += 1,
                None => closed.1.push((event.product, Count { least: 0, most: 1 })),
            }
            return;
        }
        if self.closed.back().is_some_and(|(last, _)| window <= *last) {
            return;
        }
        let visitors = self.open.entry(window).or_default();
        *visitors.entry((event.product, event.visitor)).or_default() |= is_certain;
    }

    /// Forgets the visitors of minutes that are long over.
    fn close(&mut self, now: EventTime) {
        let delay = millis(self.tide.closing_delay()) + SETTLE_MILLIS;
        while let Some(first) = self.open.first_entry()
            && first.key().end_millis() + delay <= now.millis()
        {
            let (window, visitors) = first.remove_entry();
            self.closed.push_back((window, counts(&visitors)));
        }
        while self.closed.len() > KEPT_MINUTES {
            self.closed.pop_front();
        }
    }

    /// The last minutes that nothing can be added to any more, at most so many, the first one first.
    pub(super) fn minutes(&self, most: u32, now: EventTime) -> Vec<(Window, Minute)> {
        let over = now.millis() - millis(self.tide.closing_delay());
        let settled = self.pending.map_or(over, |pending| over.min(pending.millis()));
        let Ok(settled) = EventTime::from_millis(settled) else { return Vec::new() };
        let end = Window::of(settled).ordinal();
        (end.saturating_sub(most)..end).map(Window::from_ordinal).map(|window| (window, self.minute(window))).collect()
    }

    fn minute(&self, window: Window) -> Minute {
        let is_forgotten =
            self.closed.len() == KEPT_MINUTES && self.closed.front().is_some_and(|(oldest, _)| window < *oldest);
        if window < self.first || is_forgotten {
            return Minute::Unknown;
        }
        let closed = self.closed.iter().find(|(closed, _)| *closed == window).map(|(_, counts)| counts.clone());
        let counts = closed.or_else(|| self.open.get(&window).map(counts)).unwrap_or_default();
        Minute::Known(counts)
    }
}

fn event_of(item: &Item) -> Option<&Event> {
    match item {
        // What was ahead of the clock may have been taken when it was sent again.
        Item::Valid(event) | Item::Ahead(event) => Some(event),
        Item::Broken(_) => None,
    }
}

fn events(batch: &Batch) -> impl Iterator<Item = &Event> {
    batch.items.iter().filter_map(event_of)
}

fn counts(visitors: &HashMap<(u16, u32), bool>) -> Vec<(u16, Count)> {
    let mut counts = BTreeMap::<u16, Count>::new();
    for ((product, _), is_certain) in visitors {
        let count = counts.entry(*product).or_default();
        count.least += u32::from(*is_certain);
        count.most += 1;
    }
    counts.into_iter().collect()
}

#[cfg(test)]
mod tests;
