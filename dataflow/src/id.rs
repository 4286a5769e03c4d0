//! Ids of users and products as two machine words: compared, hashed and copied without a call or a loop.
//!
//! An id of up to 15 bytes, as nearly all are, is in the words themselves. A longer one stands in a [`LongIds`], and the
//! words say where. With counts, ids travel as a [`ProductId`], which is whole by itself.

use std::cmp::Ordering;
use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use serde::{Deserialize, Serialize};

/// An id; a long one means something only together with the [`LongIds`] that it stands in.
///
/// The last of the sixteen bytes is the length of an id that is in the others, padded with zeros, or 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Id([u64; 2]);

const LONG: u8 = u8::MAX;

impl Id {
    /// An id that fits in: of 1..=15 bytes.
    #[must_use]
    #[inline]
    pub fn short(id: &[u8]) -> Option<Id> {
        let len = u32::try_from(id.len()).ok()?;
        // Reads that overlap take the place of a copy whose length is not known.
        let [low, high] = match len {
            8..=15 => {
                let last = u64::from_le_bytes(*id.last_chunk()?);
                // Of eight bytes nothing is left for the second word.
                [u64::from_le_bytes(*id.first_chunk()?), last.checked_shr((16 - len) * u8::BITS).unwrap_or(0)]
            }
            4..=7 => {
                let last = u32::from_le_bytes(*id.last_chunk()?);
                let first = u32::from_le_bytes(*id.first_chunk()?);
                [u64::from(first) | u64::from(last) << ((len - 4) * u8::BITS), 0]
            }
            1..=3 => {
                let (middle, last) = (u64::from(id[id.len() / 2]), u64::from(id[id.len() - 1]));
                [u64::from(id[0]) | middle << (len / 2 * u8::BITS) | last << ((len - 1) * u8::BITS), 0]
            }
            _ => return None,
        };
        Some(Id([low, high | u64::from(len) << 56]))
    }

    /// The id that stands at a place of its [`LongIds`].
    const fn long(number: u32) -> Id {
        Id([number as u64, (LONG as u64) << 56])
    }

    /// Where a long id stands.
    #[inline]
    fn number(self) -> Option<u32> {
        (self.0[1] >> 56 == u64::from(LONG)).then_some(self.0[0] as u32)
    }

    /// The words, to be hashed.
    #[must_use]
    pub const fn words(self) -> [u64; 2] {
        self.0
    }

    /// Hands the id's bytes to `read`.
    pub fn read<R>(self, long: &LongIds, read: impl FnOnce(&[u8]) -> R) -> R {
        if let Some(number) = self.number() {
            return read(long.get(number));
        }
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.0[0].to_le_bytes());
        bytes[8..].copy_from_slice(&self.0[1].to_le_bytes());
        let len = usize::from(bytes[15]);
        read(&bytes[..len])
    }
}

/// A user's and a product's ids, with what places them: a hash of the two texts, the same in every process of a job.
#[derive(Clone, Copy, Debug)]
pub struct IdPair<'a> {
    texts: [&'a [u8]; 2],
    short: Option<[Id; 2]>,
    hash: u64,
}

/// The part of a pair's hash that travels with it: nearly always enough to tell pairs apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tag(u32);

impl<'a> IdPair<'a> {
    /// The pair of these texts.
    #[must_use]
    #[inline]
    pub fn new(user: &'a [u8], product: &'a [u8]) -> Self {
        let mut hasher = FixedState::default().build_hasher();
        let short = match (Id::short(user), Id::short(product)) {
            (Some(user), Some(product)) => {
                [user, product].iter().flat_map(|id| id.words()).for_each(|word| hasher.write_u64(word));
                Some([user, product])
            }
            _ => {
                [user, product].iter().for_each(|id| hasher.write(id));
                None
            }
        };
        IdPair { texts: [user, product], short, hash: hasher.finish() }
    }

    /// Which of `workers` counts the pair.
    ///
    /// It depends on both ids, which spreads a hot product and a busy user alike over all workers; all looks of one user
    /// at one product still meet.
    #[must_use]
    #[inline]
    pub fn worker_of(&self, workers: u64) -> u64 {
        // The hash is uniform in 0..2^64, and this in 0..workers.
        ((u128::from(self.hash) * u128::from(workers)) >> 64) as u64
    }

    /// The lower half of the hash; the [worker](Self::worker_of) depends on the upper one.
    #[must_use]
    #[inline]
    pub const fn tag(&self) -> Tag {
        Tag(self.hash as u32)
    }

    /// The two ids, which are kept in `long` if they are long.
    #[inline]
    pub fn keep(&self, long: &mut LongIds) -> [Id; 2] {
        self.short.unwrap_or_else(|| self.texts.map(|id| long.keep(id)))
    }
}

impl Tag {
    /// As a hash of 64 bits: tables take both ends of it.
    #[must_use]
    #[inline]
    pub const fn spread(self) -> u64 {
        (self.0 as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

/// A product's id on its way with counts: compared as its bytes are, and copied without an allocation unless it is long.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProductId(Whole);

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Whole {
    /// The words of an [`Id`] the other way round: they compare as the bytes do.
    Short([u64; 2]),
    /// Of more than 15 bytes.
    Long(Box<[u8]>),
}

impl ProductId {
    /// The product of this id, whose long ones stand in `long`.
    #[must_use]
    pub fn of(id: Id, long: &LongIds) -> Self {
        ProductId(match id.number() {
            Some(number) => Whole::Long(long.get(number).into()),
            None => Whole::Short(id.0.map(u64::swap_bytes)),
        })
    }

    /// Hands the id's bytes to `read`.
    fn read<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        match &self.0 {
            Whole::Short(words) => Id(words.map(u64::swap_bytes)).read(&LongIds::default(), read),
            Whole::Long(id) => read(id),
        }
    }

    /// The id as text: it was decoded from valid UTF-8.
    #[must_use]
    pub fn text(&self) -> String {
        self.read(|id| String::from_utf8_lossy(id).into_owned())
    }
}

impl From<&str> for ProductId {
    fn from(id: &str) -> Self {
        let mut long = LongIds::default();
        ProductId::of(long.keep(id.as_bytes()), &long)
    }
}

impl Ord for ProductId {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Whole::Short(these), Whole::Short(those)) => these.cmp(those),
            _ => self.read(|id| other.read(|other| id.cmp(other))),
        }
    }
}

impl PartialOrd for ProductId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Ids that are too long for the words, back to back, numbered from 0.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LongIds {
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl LongIds {
    /// The id, which is kept here if it is long.
    #[inline]
    pub fn keep(&mut self, id: &[u8]) -> Id {
        Id::short(id).unwrap_or_else(|| Id::long(self.push(id)))
    }

    /// How much memory they take, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len() + size_of_val(&self.ends[..])
    }

    fn push(&mut self, id: &[u8]) -> u32 {
        self.bytes.extend_from_slice(id);
        self.ends.push(self.bytes.len());
        let number = self.ends.len() - 1;
        u32::try_from(number).expect("2^32 ids of more than 15 bytes do not fit into memory")
    }

    fn get(&self, number: u32) -> &[u8] {
        let number = number as usize;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[number]]
    }
}

/// Long ids, each once: two of its [`Id`]s are equal if and only if their texts are.
#[derive(Debug, Default)]
pub struct UniqueIds {
    known: HashTable<u32>,
    ids: LongIds,
}

impl UniqueIds {
    /// The id as it is here, of one that stands elsewhere.
    #[inline]
    pub fn adopt(&mut self, id: Id, from: &LongIds) -> Id {
        match id.number() {
            Some(number) => self.adopt_long(from.get(number)),
            None => id,
        }
    }

    /// Where the long ones stand.
    #[must_use]
    pub const fn ids(&self) -> &LongIds {
        &self.ids
    }

    #[cold]
    fn adopt_long(&mut self, id: &[u8]) -> Id {
        let UniqueIds { known, ids } = self;
        match known.entry(hash_of_long(id), |at| ids.get(*at) == id, |at| hash_of_long(ids.get(*at))) {
            Entry::Occupied(known) => Id::long(*known.get()),
            Entry::Vacant(place) => {
                let number = ids.push(id);
                place.insert(number);
                Id::long(number)
            }
        }
    }
}

fn hash_of_long(id: &[u8]) -> u64 {
    FixedState::default().hash_one(id)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    /// Ids that share beginnings, ends and lengths, around the length that is too long.
    fn id() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![Just(0_u8), Just(b'a'), Just(b'b'), Just(0xFF), any::<u8>()];
        prop_oneof![8 => prop::collection::vec(byte.clone(), 1..20), 1 => prop::collection::vec(byte, 250..=256)]
    }

    proptest! {
        #[test]
        fn ids_are_read_as_they_were_written(ids in prop::collection::vec(id(), 1..12)) {
            let mut long = LongIds::default();
            let kept: Vec<_> = ids.iter().map(|id| long.keep(id)).collect();
            let mut unique = UniqueIds::default();
            for (id, kept) in ids.iter().zip(&kept) {
                prop_assert_eq!(&kept.read(&long, <[u8]>::to_vec), id);
                let adopted = unique.adopt(*kept, &long);
                prop_assert_eq!(&adopted.read(unique.ids(), <[u8]>::to_vec), id);
            }
            let adopted: HashSet<_> = kept.iter().map(|id| unique.adopt(*id, &long).words()).collect();
            prop_assert_eq!(adopted.len(), ids.iter().collect::<HashSet<_>>().len());
        }
    }

    proptest! {
        #[test]
        fn product_ids_compare_as_their_bytes_do(one in id(), other in id()) {
            let mut long = LongIds::default();
            let [one_id, other_id] = [&one, &other].map(|id| ProductId::of(long.keep(id), &long));
            prop_assert_eq!(one_id.cmp(&other_id), one.cmp(&other));
            prop_assert_eq!(one_id == other_id, one == other);
            prop_assert_eq!(one_id.read(<[u8]>::to_vec), one);
        }
    }

    #[test]
    fn every_length_keeps_its_bytes_apart() {
        let long = LongIds::default();
        for len in 1..=15 {
            for place in 0..len {
                let mut id = vec![b'.'; len];
                id[place] = b'x';
                assert_eq!(Id::short(&id).unwrap().read(&long, <[u8]>::to_vec), id);
            }
        }
        assert_eq!(Id::short(&[b'.'; 16]), None);
        assert_eq!(Id::short(&[]), None);
    }
}
