//! Blocks of decoded events: what travels from the workers that read to the workers that count.

use serde::{Deserialize, Serialize};

use schemas::{EventView, Window};

use crate::distinct::Time;

/// Events on their way to one worker: ids back to back, without an allocation per event.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Block {
    /// The worker that counts them.
    pub destination: u64,
    /// The worker that read them.
    pub origin: u32,
    /// When its events change the rows of their windows; none: at each window's own close.
    pub takes_effect: Option<Time>,
    heads: Vec<Head>,
    #[serde(with = "serde_bytes")]
    ids: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Head {
    hash: u64,
    window: Window,
    product_len: u16,
    user_len: u16,
}

/// An event in a block.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The minute in which the product was looked at.
    pub window: Window,
    /// The product's id.
    pub product: &'a [u8],
    /// The user's id.
    pub user: &'a [u8],
    /// The [`placement`] of user and product.
    pub hash: u64,
}

impl Block {
    const fn empty(origin: u32, destination: u64, takes_effect: Option<Time>) -> Self {
        Block { destination, origin, takes_effect, heads: Vec::new(), ids: Vec::new() }
    }

    /// How many events it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// How much memory the events take, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.heads.len() * size_of::<Head>() + self.ids.len()
    }

    /// The events, in the order of the partition.
    pub fn iter(&self) -> impl Iterator<Item = Seen<'_>> {
        let mut rest = &self.ids[..];
        self.heads.iter().map(move |head| {
            let (product, behind) = rest.split_at(usize::from(head.product_len));
            let (user, behind) = behind.split_at(usize::from(head.user_len));
            rest = behind;
            Seen { window: head.window, product, user, hash: head.hash }
        })
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
        let blocks = (0..workers as u64).map(|destination| Block::empty(origin, destination, None)).collect();
        BlockBuilder { origin, blocks, revisions: Vec::new() }
    }

    /// Adds an event to the block of the worker that its user and product are placed on.
    pub fn push(&mut self, event: &EventView<'_>, window: Window, takes_effect: Time) {
        let (product, user) = (event.product_id, event.user_id);
        let hash = placement(product, user);
        // Uniform in 0..workers, from the bits in the hash's middle: the worker's table uses the outer ones.
        let destination = (u64::from(hash as u32) * self.blocks.len() as u64) >> 32;
        let block = if takes_effect == Time::from(window.ordinal()) {
            &mut self.blocks[destination as usize]
        } else {
            self.revisions_for(destination, takes_effect)
        };
        // The decoder lets no id of more than 256 bytes pass.
        block.heads.push(Head { hash, window, product_len: product.len() as u16, user_len: user.len() as u16 });
        block.ids.extend_from_slice(product);
        block.ids.extend_from_slice(user);
    }

    fn revisions_for(&mut self, destination: u64, takes_effect: Time) -> &mut Block {
        let is_wanted = |block: &Block| block.destination == destination && block.takes_effect == Some(takes_effect);
        let index = self.revisions.iter().position(is_wanted).unwrap_or_else(|| {
            self.revisions.push(Block::empty(self.origin, destination, Some(takes_effect)));
            self.revisions.len() - 1
        });
        &mut self.revisions[index]
    }

    /// Takes the blocks that have events.
    pub fn take(&mut self) -> impl Iterator<Item = Block> {
        let filled = self.blocks.iter_mut().filter(|block| !block.is_empty()).map(|block| {
            // The next block will be about as large.
            let (heads, ids) = (Vec::with_capacity(block.heads.len()), Vec::with_capacity(block.ids.len()));
            Block {
                heads: std::mem::replace(&mut block.heads, heads),
                ids: std::mem::replace(&mut block.ids, ids),
                ..*block
            }
        });
        filled.chain(self.revisions.drain(..))
    }
}

/// Where a user's look at a product is counted: XXH3 (64 bits) of the user's id, seeded with that of the product's id.
///
/// Hashing the pair spreads a hot product and a busy user alike over all workers, and all looks of one user at one
/// product still meet. The function is fixed, so that all processes of a job agree.
#[must_use]
pub fn placement(product: &[u8], user: &[u8]) -> u64 {
    user_hash(product_hash(product), user)
}

/// The [`placement`] of a user at a product whose hash is known.
#[must_use]
pub fn user_hash(product_hash: u64, user: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(user, product_hash)
}

/// XXH3 (64 bits) of a product's id.
#[must_use]
pub fn product_hash(product: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(product)
}
