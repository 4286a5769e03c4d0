//! The exact set of users of each product in one window.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use schemas::Window;
use serde::{Deserialize, Serialize};

use crate::id::{Id, IdPair, LongIds, ProductId, Tag, UniqueIds};

/// Somebody has looked at a product.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Look {
    /// Who.
    pub user: Id,
    /// At what.
    pub product: Id,
    /// In which minute.
    pub window: Window,
    /// Of the texts of user and product: the same wherever they are counted.
    pub tag: Tag,
}

impl Look {
    /// The look of a pair, whose long ids are kept in `long`.
    #[must_use]
    #[inline]
    pub fn new(pair: &IdPair<'_>, window: Window, long: &mut LongIds) -> Self {
        let [user, product] = pair.keep(long);
        Look { user, product, window, tag: pair.tag() }
    }
}

/// The pairs of user and product of one window that this worker has seen, and each product's number of users.
#[derive(Debug, Default)]
pub struct UniqueUsers {
    products: HashTable<u32>,
    product_ids: Vec<Id>,
    counts: Vec<i64>,
    /// Where each pair stands in `pairs`. The table is small, and stays in the cache for longer.
    places: HashTable<u32>,
    pairs: Vec<Pair>,
    long_ids: UniqueIds,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pair {
    user: Id,
    product: u32,
    /// Nearly always enough to tell pairs apart, and to place them anew.
    tag: Tag,
}

impl UniqueUsers {
    /// Nobody so far. `keeps_news`: whether it will be asked which products have grown.
    #[must_use]
    pub fn new(keeps_news: bool) -> Self {
        UniqueUsers { news: keeps_news.then(News::default), ..UniqueUsers::default() }
    }

    /// Takes note of a look, whatever its window; returns whether it is the first of its user at its product. Long ids
    /// stand in `long`.
    #[inline]
    pub fn insert(&mut self, look: &Look, long: &LongIds) -> bool {
        let product = self.product_index(look.product, long);
        let UniqueUsers { places, pairs, long_ids, counts, news, .. } = self;
        let pair = Pair { user: long_ids.adopt(look.user, long), product, tag: look.tag };
        let hash_of = |at: &u32| pairs[*at as usize].tag.spread();
        let Entry::Vacant(vacant) = places.entry(look.tag.spread(), |at| pairs[*at as usize] == pair, hash_of) else {
            return false;
        };
        vacant.insert(u32::try_from(pairs.len()).expect("2^32 pairs of one minute do not fit into memory"));
        pairs.push(pair);
        let count = &mut counts[product as usize];
        if let Some(news) = news {
            news.told.resize(news.told.len().max(product as usize + 1), 0);
            if news.told[product as usize] == *count {
                news.grown.push(product);
            }
        }
        *count += 1;
        true
    }

    /// Forgets all, for another window: the room stays, unless it was mostly empty.
    pub fn clear(&mut self) {
        let UniqueUsers { products, product_ids, counts, places, pairs, long_ids, news } = self;
        let (room, product_room) = (2 * pairs.len(), 2 * product_ids.len());
        pairs.clear();
        pairs.shrink_to(room);
        places.clear();
        // It is empty: there is nothing to hash.
        places.shrink_to(room, |_| 0);
        product_ids.clear();
        product_ids.shrink_to(product_room);
        counts.clear();
        counts.shrink_to(product_room);
        products.clear();
        products.shrink_to(product_room, |_| 0);
        *long_ids = UniqueIds::default();
        if let Some(news) = news {
            *news = News::default();
        }
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
    pub fn counts(&self) -> impl Iterator<Item = (ProductId, i64)> {
        self.product_ids
            .iter()
            .zip(&self.counts)
            .map(|(product, count)| (ProductId::of(*product, self.long_ids.ids()), *count))
    }

    /// By how many users each product has grown since the last call, and only those that have.
    pub fn take_news(&mut self) -> Vec<(ProductId, i64)> {
        let UniqueUsers { news: Some(news), counts, product_ids, long_ids, .. } = self else { return Vec::new() };
        let grown = news.grown.drain(..).map(|index| {
            let (count, told) = (counts[index as usize], &mut news.told[index as usize]);
            let by = count - std::mem::replace(told, count);
            (ProductId::of(product_ids[index as usize], long_ids.ids()), by)
        });
        grown.collect()
    }

    /// Whether it can be asked which products have grown.
    #[must_use]
    pub const fn keeps_news(&self) -> bool {
        self.news.is_some()
    }

    /// Whether a product has got users since somebody asked.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.news.as_ref().is_some_and(|news| !news.grown.is_empty())
    }

    #[inline]
    fn product_index(&mut self, product: Id, long: &LongIds) -> u32 {
        let UniqueUsers { products, product_ids, counts, long_ids, .. } = self;
        let product = long_ids.adopt(product, long);
        let is_same = |index: &u32| product_ids[*index as usize] == product;
        match products.entry(hash(product.words()), is_same, |index| hash(product_ids[*index as usize].words())) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(vacant) => {
                let index =
                    u32::try_from(product_ids.len()).expect("2^32 products of one minute do not fit into memory");
                vacant.insert(index);
                product_ids.push(product);
                counts.push(0);
                index
            }
        }
    }
}

#[inline]
fn hash(words: [u64; 2]) -> u64 {
    FixedState::default().hash_one((words[0], words[1]))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn look(user: &str, product: &str, long: &mut LongIds) -> Look {
        Look::new(&IdPair::new(user.as_bytes(), product.as_bytes()), Window::from_ordinal(0), long)
    }

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
            let mut long = LongIds::default();
            let mut users = UniqueUsers::default();
            let mut model: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
            for (product, user) in &looks {
                let is_new = model.entry(product.clone()).or_default().insert(user);
                let look = look(user, product, &mut long);
                prop_assert_eq!(users.insert(&look, &long), is_new);
            }
            let counts: BTreeMap<String, i64> = users.counts().map(|(product, users)| (product.text(), users)).collect();
            let expected = model.iter().map(|(product, users)| (product.clone(), users.len() as i64));
            let expected: BTreeMap<String, i64> = expected.collect();
            prop_assert_eq!(&counts, &expected);
            prop_assert_eq!(users.len(), model.values().map(BTreeSet::len).sum::<usize>());
            // Another window, in the same room.
            users.clear();
            prop_assert!(users.is_empty() && users.counts().next().is_none());
            for (product, user) in &looks {
                let look = look(user, product, &mut long);
                users.insert(&look, &long);
            }
            let counts: BTreeMap<String, i64> = users.counts().map(|(product, users)| (product.text(), users)).collect();
            prop_assert_eq!(counts, expected);
        }
    }

    #[test]
    fn pairs_whose_tags_are_equal_are_still_told_apart() {
        // Of so many pairs, about five share the 32 bits of their tags.
        let mut long = LongIds::default();
        let mut users = UniqueUsers::default();
        let looks: Vec<_> = (0..200_000).map(|n| look(&format!("u{n}"), "a", &mut long)).collect();
        let tags: BTreeSet<_> = looks.iter().map(|look| look.tag).collect();
        assert!(tags.len() < looks.len());
        assert!(looks.iter().all(|look| users.insert(look, &long)));
        assert!(!looks.iter().any(|look| users.insert(look, &long)));
    }
}
