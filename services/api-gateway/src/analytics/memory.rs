//! What is remembered of the results topic: the newest row of each product in each of the last minutes, by minute and by
//! the place where it stands in the topic.
//!
//! A row that a newer one has replaced is forgotten: whoever reads on from any place gets every row that still counts, in
//! the order of its partition, and no other.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::body::Bytes;
use schemas::{TopicRow, Window};

use super::place::Place;

/// How many minutes are remembered: half an hour and the running one.
pub(super) const MINUTES: u32 = 31;
/// How many bytes of rows are remembered, about; where they are more, the oldest minutes go first.
const MAX_BYTES: usize = 256 << 20;
/// What a row takes beside its product's id, about: itself, its event and its places in three maps.
const ROW_BYTES: usize = 500;

/// A row, and where it stands in the topic.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) row: TopicRow,
    pub(super) partition: usize,
    pub(super) offset: u64,
    /// When it was read here.
    pub(super) arrived: Instant,
    event: OnceLock<Bytes>,
}

impl Row {
    /// Its event, but for the id: written once, for all streams.
    pub(super) fn event(&self, write: impl FnOnce(&TopicRow) -> Bytes) -> &Bytes {
        self.event.get_or_init(|| write(&self.row))
    }

    fn bytes(&self) -> usize {
        ROW_BYTES + 3 * self.row.row.product_id.len()
    }
}

/// The rows of one minute.
#[derive(Debug, Default)]
pub(super) struct Minute {
    products: HashMap<String, Arc<Row>>,
    /// How many of them are final.
    finals: usize,
}

impl Minute {
    /// The row of one product, or all.
    pub(super) fn of(&self, product_id: Option<&str>) -> impl Iterator<Item = &Arc<Row>> {
        let one = product_id.and_then(|product_id| self.products.get(product_id));
        let all = product_id.is_none().then(|| self.products.values());
        one.into_iter().chain(all.into_iter().flatten())
    }
}

#[derive(Debug, Default)]
struct Partition {
    /// Every row from here on that counts is there.
    begin: u64,
    /// Where reading goes on.
    next: u64,
    rows: BTreeMap<u64, Arc<Row>>,
}

/// The newest rows of the last minutes.
#[derive(Debug, Default)]
pub(super) struct Memory {
    minutes: BTreeMap<Window, Minute>,
    partitions: Vec<Partition>,
    bytes: usize,
    gaps: u64,
}

impl Memory {
    /// Where to read on in each partition, of which the topic has these offsets and those from `back` on are wanted: where
    /// reading ended before, if that is still there.
    pub(super) fn resume(&mut self, extents: &[Range<u64>], back: &[u64]) -> Vec<u64> {
        let is_another_topic = self.partitions.len() > extents.len()
            || self.partitions.iter().zip(extents).any(|(partition, extent)| partition.next > extent.end);
        if is_another_topic {
            *self = Memory { gaps: self.gaps + 1, ..Memory::default() };
        }
        let known = self.partitions.len();
        self.partitions.resize_with(extents.len(), Partition::default);
        for (index, (partition, (extent, back))) in self.partitions.iter_mut().zip(extents.iter().zip(back)).enumerate()
        {
            let from = extent.start.max(*back);
            if index < known && partition.next >= from {
                continue;
            }
            // Readers of a partition that has just been found have missed nothing of it.
            self.gaps += u64::from(index < known);
            (partition.begin, partition.next) = (from, from);
        }
        self.partitions.iter().map(|partition| partition.next).collect()
    }

    /// Takes a record, which is a row or nothing of interest. Returns the row where it is news.
    pub(super) fn take(
        &mut self,
        partition: usize,
        offset: u64,
        row: Option<TopicRow>,
        arrived: Instant,
    ) -> Option<Arc<Row>> {
        self.reach(partition, offset + 1);
        let row = Arc::new(Row { row: row?, partition, offset, arrived, event: OnceLock::new() });
        self.put(&row).then_some(row)
    }

    /// All records of a partition before `offset` have been read.
    pub(super) fn reach(&mut self, partition: usize, offset: u64) {
        if let Some(partition) = self.partitions.get_mut(partition) {
            partition.next = partition.next.max(offset);
        }
    }

    /// Keeps a row, unless there is a newer one or it is too old.
    fn put(&mut self, row: &Arc<Row>) -> bool {
        let (window, product) = (row.row.row.window, &row.row.row.product_id);
        let newest = self.minutes.last_key_value().map_or(window, |(newest, _)| window.max(*newest));
        let oldest = newest.ordinal().saturating_sub(MINUTES - 1);
        if window.ordinal() < oldest {
            return false;
        }
        let minute = self.minutes.entry(window).or_default();
        if minute.products.get(product).is_some_and(|present| present.row.rank() >= row.row.rank()) {
            return false;
        }
        minute.finals += usize::from(row.row.is_final);
        let replaced = minute.products.insert(product.clone(), Arc::clone(row));
        if let Some(replaced) = replaced {
            minute.finals -= usize::from(replaced.row.is_final);
            self.forget(&replaced);
        }
        self.bytes += row.bytes();
        if let Some(partition) = self.partitions.get_mut(row.partition) {
            partition.rows.insert(row.offset, Arc::clone(row));
        }
        while let Some(first) = self.minutes.first_entry() {
            let is_too_much = self.bytes > MAX_BYTES && *first.key() < newest;
            if first.key().ordinal() >= oldest && !is_too_much {
                break;
            }
            for row in first.remove().products.into_values() {
                self.forget(&row);
                if let Some(partition) = self.partitions.get_mut(row.partition) {
                    partition.begin = partition.begin.max(row.offset + 1);
                }
            }
        }
        true
    }

    fn forget(&mut self, row: &Row) {
        self.bytes -= row.bytes();
        if let Some(partition) = self.partitions.get_mut(row.partition) {
            partition.rows.remove(&row.offset);
        }
    }

    /// The newest minute that is over: it has final rows, and none that still grow, or a later one has final rows. Of a
    /// minute that ends the rows become final one after the other, and products that lead have rows all along: so they hold
    /// a minute open until their last count is there.
    pub(super) fn closed(&self) -> Option<Window> {
        let mut is_later_over = false;
        for (window, minute) in self.minutes.iter().rev() {
            if minute.finals > 0 && (is_later_over || minute.finals == minute.products.len()) {
                return Some(*window);
            }
            is_later_over |= minute.finals > 0;
        }
        None
    }

    /// The running minute: the newest one, where it is not over.
    pub(super) fn open(&self) -> Option<Window> {
        let newest = *self.minutes.last_key_value()?.0;
        (self.closed() != Some(newest)).then_some(newest)
    }

    /// The rows of a minute.
    pub(super) fn minute(&self, window: Window) -> Option<&Minute> {
        self.minutes.get(&window)
    }

    /// A product's rows from `first` to `last`, the first minute first.
    pub(super) fn of_product(&self, product_id: &str, first: Window, last: Window) -> impl Iterator<Item = &Arc<Row>> {
        let minutes = (first <= last).then(|| self.minutes.range(first..=last));
        minutes.into_iter().flatten().filter_map(|(_, minute)| minute.products.get(product_id))
    }

    /// Where reading goes on.
    pub(super) fn next(&self) -> Place {
        self.partitions.iter().map(|partition| partition.next).collect()
    }

    /// How often reading did not go on where it had ended: readers have missed rows then.
    pub(super) const fn gaps(&self) -> u64 {
        self.gaps
    }

    /// Whether every row after the place is there, as far as it still counts.
    pub(super) fn has_all_after(&self, place: &Place) -> bool {
        let is_kept = |(index, partition): (usize, &Partition)| place.next(index) >= partition.begin;
        place.partitions() <= self.partitions.len() && self.partitions.iter().enumerate().all(is_kept)
    }

    /// Whether the place is one that has not been read yet here.
    pub(super) fn is_behind(&self, place: &Place) -> bool {
        self.partitions.iter().enumerate().any(|(index, partition)| place.next(index) > partition.next)
    }

    /// A place from which on there are all rows of minutes that are not over, of one product or of all.
    pub(super) fn before_open_minutes(&self, product_id: Option<&str>) -> Place {
        let mut firsts: Vec<u64> = self.partitions.iter().map(|partition| partition.next).collect();
        let closed = self.closed();
        let open = self.minutes.iter().filter(|(window, _)| closed.is_none_or(|closed| **window > closed));
        for row in open.flat_map(|(_, minute)| minute.of(product_id)) {
            if let Some(first) = firsts.get_mut(row.partition) {
                *first = row.offset.min(*first);
            }
        }
        firsts.into_iter().collect()
    }

    /// Up to `limit` rows after the place, partition by partition from the one at `turn` on.
    pub(super) fn after(&self, place: &Place, turn: usize, limit: usize) -> Vec<Arc<Row>> {
        let count = self.partitions.len().max(1);
        let partitions = (turn..turn + count).map(|index| index % count);
        let rows = partitions.filter_map(|index| Some(self.partitions.get(index)?.rows.range(place.next(index)..)));
        rows.flatten().map(|(_, row)| Arc::clone(row)).take(limit).collect()
    }

    /// A product's rows after the place, in the order of their partitions.
    pub(super) fn of_product_after(&self, product_id: &str, place: &Place) -> Vec<Arc<Row>> {
        let rows = self.minutes.values().flat_map(|minute| minute.of(Some(product_id)));
        let mut rows: Vec<_> = rows.filter(|row| row.offset >= place.next(row.partition)).cloned().collect();
        rows.sort_unstable_by_key(|row| (row.partition, row.offset));
        rows
    }
}

#[cfg(test)]
mod tests;
