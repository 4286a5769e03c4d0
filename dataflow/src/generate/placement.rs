//! Which partition a record goes to.

/// Spreads keys over partitions as Kafka does, or unequally.
///
/// With equal partitions a key goes to `murmur2(key) & 0x7fffffff` modulo the number of partitions, which is where
/// Kafka's own (Java) producers put it. With skew the same number is looked up in ranges whose lengths fall
/// geometrically. Either way all records of a user are in one partition.
#[derive(Clone, Debug)]
pub struct Placement {
    partitions: u32,
    /// The first hash beyond each partition's range; empty where partitions are equal.
    ends: Vec<u32>,
}

/// Hashes are this many: the sign bit is masked away.
const HASHES: f64 = 2_147_483_648.0;

impl Placement {
    /// `partitions` (at least 1), each by the part `skew` smaller than the one before; 0 = equal.
    #[must_use]
    pub fn new(partitions: u32, skew: f64) -> Self {
        let ends = if skew > 0.0 { geometric_ends(partitions, 1.0 - skew) } else { Vec::new() };
        Placement { partitions: partitions.max(1), ends }
    }

    /// The partition of the records with this key.
    #[must_use]
    pub fn of_key(&self, key: &[u8]) -> u32 {
        self.of_hash(murmur2(key))
    }

    /// The partition of a hash; of a random number, a random partition.
    #[must_use]
    pub fn of_hash(&self, hash: u32) -> u32 {
        let positive = hash & 0x7fff_ffff;
        if self.ends.is_empty() {
            return positive % self.partitions;
        }
        let partition = self.ends.partition_point(|&end| end <= positive);
        // The last end may be rounded down, and there are at most u32::MAX partitions.
        (partition as u32).min(self.partitions - 1)
    }
}

fn geometric_ends(partitions: u32, ratio: f64) -> Vec<u32> {
    let weights = || std::iter::successors(Some(1.0), |weight| Some(weight * ratio)).take(partitions as usize);
    let total: f64 = weights().sum();
    let mut sum = 0.0;
    weights()
        .map(|weight| {
            sum += weight;
            (sum / total * HASHES) as u32
        })
        .collect()
}

/// The 32-bit MurmurHash2 with the seed that Kafka uses.
///
/// Source: Apache Kafka, `org.apache.kafka.common.utils.Utils.murmur2`.
#[must_use]
pub fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    // The algorithm starts with the length modulo 2^32.
    let mut hash = 0x9747_b28c ^ (key.len() as u32);
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(M);
        mixed ^= mixed >> 24;
        hash = hash.wrapping_mul(M) ^ mixed.wrapping_mul(M);
    }
    if !rest.is_empty() {
        let last = rest.iter().rev().fold(0, |word, &byte| (word << 8) | u32::from(byte));
        hash = (hash ^ last).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}
