//! Blocks of decoded events: what travels from the workers that read to the workers that count.

use schemas::{EventView, Window};
use serde::{Deserialize, Serialize};

use crate::distinct::Time;
use crate::id::{IdPair, LongIds};
use crate::unique_users::Look;

/// Events on their way to one worker, without an allocation per event.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Block {
    /// The worker that counts them.
    pub destination: u64,
    /// The worker that read them.
    pub origin: u32,
    /// When its events change the rows of their windows; none: at each window's own close.
    pub takes_effect: Option<Time>,
    /// In the order of the partition.
    pub looks: Vec<Look>,
    /// Where the looks' long ids stand.
    pub long_ids: LongIds,
}

impl Block {
    const fn empty(origin: u32, destination: u64, takes_effect: Option<Time>, long_ids: LongIds) -> Self {
        Block { destination, origin, takes_effect, looks: Vec::new(), long_ids }
    }

    /// How much memory the events take, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&self.looks[..]) + self.long_ids.bytes()
    }
}

/// Sorts a partition's events into one growing block for each destination.
#[derive(Debug)]
pub struct BlockBuilder {
    origin: u32,
    blocks: Vec<Block>,
    /// Blocks of events whose windows their partition had closed: few, and only where that is allowed.
    revisions: Vec<Block>,
}

impl BlockBuilder {
    /// For the worker `origin` of `workers`.
    #[must_use]
    pub fn new(origin: usize, workers: usize) -> Self {
        let origin = u32::try_from(origin).unwrap_or(u32::MAX);
        let empty = |destination| Block::empty(origin, destination, None, LongIds::default());
        BlockBuilder { origin, blocks: (0..workers as u64).map(empty).collect(), revisions: Vec::new() }
    }

    /// Adds an event to the block of the worker that its user and product are placed on.
    #[inline]
    pub fn push(&mut self, event: &EventView<'_>, window: Window, takes_effect: Time) {
        let pair = IdPair::new(event.user_id, event.product_id);
        let destination = pair.worker_of(self.blocks.len() as u64);
        let block = if takes_effect == Time::from(window.ordinal()) {
            &mut self.blocks[destination as usize]
        } else {
            self.revisions_for(destination, takes_effect)
        };
        block.looks.push(Look::new(&pair, window, &mut block.long_ids));
    }

    fn revisions_for(&mut self, destination: u64, takes_effect: Time) -> &mut Block {
        let is_wanted = |block: &Block| block.destination == destination && block.takes_effect == Some(takes_effect);
        let index = self.revisions.iter().position(is_wanted).unwrap_or_else(|| {
            self.revisions.push(Block::empty(self.origin, destination, Some(takes_effect), LongIds::default()));
            self.revisions.len() - 1
        });
        &mut self.revisions[index]
    }

    /// Takes the blocks that have events.
    pub fn take(&mut self) -> impl Iterator<Item = Block> {
        let filled = self.blocks.iter_mut().filter(|block| !block.looks.is_empty()).map(|block| {
            // The next block will be about as large.
            let looks = Vec::with_capacity(block.looks.len());
            Block {
                looks: std::mem::replace(&mut block.looks, looks),
                long_ids: std::mem::take(&mut block.long_ids),
                ..*block
            }
        });
        filled.chain(self.revisions.drain(..))
    }
}
