//! How far somebody has read the results topic. Written as text, it is the id of an event: it means the same to every
//! replica of the gateway, and after a restart.

use std::fmt;
use std::str::FromStr;

/// The offset of the next record in each partition: all before it have been read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place(Vec<u64>);

/// A text is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoPlace;

impl Place {
    /// How many partitions it knows.
    pub(super) const fn partitions(&self) -> usize {
        self.0.len()
    }

    /// The next offset of a partition; 0 for one that it does not know, which the topic got later.
    pub(super) fn next(&self, partition: usize) -> u64 {
        self.0.get(partition).copied().unwrap_or(0)
    }

    /// Everything before `offset` has been read as well.
    pub(super) fn advance(&mut self, partition: usize, offset: u64) {
        if partition >= self.0.len() {
            self.0.resize(partition + 1, 0);
        }
        if let Some(next) = self.0.get_mut(partition) {
            *next = offset.max(*next);
        }
    }

    /// Everything before `other` has been read as well.
    pub(super) fn advance_to(&mut self, other: &Place) {
        for (partition, offset) in other.0.iter().enumerate() {
            self.advance(partition, *offset);
        }
    }
}

impl FromIterator<u64> for Place {
    /// The offsets of the partitions from 0 on.
    fn from_iter<I: IntoIterator<Item = u64>>(offsets: I) -> Self {
        Place(offsets.into_iter().collect())
    }
}

impl fmt::Display for Place {
    /// `0:123,1:99`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (partition, offset) in self.0.iter().enumerate() {
            let comma = if partition == 0 { "" } else { "," };
            write!(f, "{comma}{partition}:{offset}")?;
        }
        Ok(())
    }
}

impl FromStr for Place {
    type Err = NoPlace;

    /// Reads what is written, and no other spelling.
    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let offset = |(partition, part): (usize, &str)| {
            let (number, offset) = part.split_once(':')?;
            (number == partition.to_string() && offset.bytes().all(|byte| byte.is_ascii_digit()))
                .then(|| offset.parse().ok())?
        };
        text.split(',').enumerate().map(offset).collect::<Option<_>>().map(Place).ok_or(NoPlace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        let place: Place = [123, 0, u64::MAX].into_iter().collect();
        assert_eq!(place.to_string(), "0:123,1:0,2:18446744073709551615");
        assert_eq!(place.to_string().parse(), Ok(place));
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in ["", ",", "0", "0:", "0:x", "0:+1", "0:-1", "1:5", "0:1,", "0:1,2:3", "0:1;1:2", " 0:1", "00:1"] {
            assert_eq!(text.parse::<Place>(), Err(NoPlace), "{text:?}");
        }
        assert_eq!("0:18446744073709551616".parse::<Place>(), Err(NoPlace));
    }

    #[test]
    fn a_place_never_goes_back() {
        let mut place: Place = [5, 5].into_iter().collect();
        place.advance(0, 3);
        place.advance_to(&[4, 9, 1].into_iter().collect());
        assert_eq!(place.to_string(), "0:5,1:9,2:1");
        assert_eq!(place.next(7), 0);
    }
}
