//! Which rows a file has had already.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::row::RowHash;

/// The first line of each row so far: twenty bytes a row, so that a million of them fit a small function.
#[derive(Default)]
pub(crate) struct Duplicates {
    lines: HashMap<[u8; 16], u32>,
}

impl Duplicates {
    /// The line of an equal row before this one; else this one is remembered.
    pub(crate) fn first_line(&mut self, row: RowHash, line: u64) -> Option<u64> {
        match self.lines.entry(row.short()) {
            Entry::Occupied(first) => Some(u64::from(*first.get())),
            Entry::Vacant(free) => {
                // A file of so many lines is beyond what a function can read in all its continuations.
                free.insert(u32::try_from(line).unwrap_or(u32::MAX));
                None
            }
        }
    }
}
