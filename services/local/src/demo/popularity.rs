//! How popular each product is at a moment: Zipf's law, with trends that come and go within the hour, and now and then a
//! product that everybody looks at for some minutes.
//!
//! It depends on the seed and the clock alone: two demos with the same seed have the same product go round at the same time.

use std::f64::consts::PI;
use std::ops::Range;

use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use schemas::EventTime;

/// The most popular product is looked at `n` to this power as often as the `n`-th.
const EXPONENT: f64 = 0.9;
/// By which power of e a trend makes a product more popular at best, and less at worst.
const TREND: f64 = 0.6;
/// How long a trend takes to come back, in minutes.
const TREND_MINUTES: Range<f64> = 15.0..60.0;
/// How often a product goes round, and for how long.
const ROUND_EVERY_MILLIS: i64 = 20 * 60_000;
const ROUND_MILLIS: i64 = 6 * 60_000;
/// How much more often it is looked at, at the height of it, than the average product.
const ROUND_GAIN: f64 = 60.0;
/// Popularity is worked out again after so long.
const REFRESH_MILLIS: i64 = 10_000;

/// The popularity of products, which are known by their place in the catalogue, as it was a short while ago.
#[derive(Clone, Debug)]
pub(super) struct Popularity {
    seed: u64,
    products: Vec<Product>,
    /// The sums of the weights up to and with each product.
    sums: Vec<f64>,
    refreshed: Option<i64>,
}

#[derive(Clone, Copy, Debug)]
struct Product {
    weight: f64,
    period_millis: f64,
    phase: f64,
}

impl Popularity {
    pub(super) fn new(seed: u64, products: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut ranks: Vec<u32> = (1..).take(products).collect();
        ranks.shuffle(&mut random);
        let product = |rank: u32| Product {
            weight: f64::from(rank).powf(-EXPONENT),
            period_millis: random.random_range(TREND_MINUTES) * 60_000.0,
            phase: random.random(),
        };
        let products: Vec<_> = ranks.into_iter().map(product).collect();
        Popularity { seed, sums: Vec::with_capacity(products.len()), products, refreshed: None }
    }

    /// Works the popularity out anew where it is outdated.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are below 2^52, and products are few")]
    pub(super) fn refresh(&mut self, now: EventTime) {
        let now = now.millis();
        if self.refreshed.is_some_and(|refreshed| (0..REFRESH_MILLIS).contains(&(now - refreshed))) {
            return;
        }
        self.refreshed = Some(now);
        let average = self.products.iter().map(|product| product.weight).sum::<f64>() / self.products.len() as f64;
        let round = self.goes_round(now);
        self.sums.clear();
        let mut sum = 0.0;
        for (place, product) in self.products.iter().enumerate() {
            let turn = now as f64 / product.period_millis + product.phase;
            let trend = (TREND * (2.0 * PI * turn).sin()).exp();
            let extra = round.filter(|(viral, _)| *viral == place).map_or(0.0, |(_, height)| height);
            sum += product.weight * trend + average * ROUND_GAIN * extra;
            self.sums.push(sum);
        }
    }

    /// The product that goes round at a time, and how high it is just now, from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a few minutes of milliseconds")]
    fn goes_round(&self, now: i64) -> Option<(usize, f64)> {
        let (round, since) = (now.div_euclid(ROUND_EVERY_MILLIS), now.rem_euclid(ROUND_EVERY_MILLIS));
        if since >= ROUND_MILLIS || self.products.is_empty() {
            return None;
        }
        let mut random = ChaCha8Rng::seed_from_u64(self.seed ^ round.cast_unsigned());
        let product = random.random_range(0..self.products.len());
        Some((product, (PI * since as f64 / ROUND_MILLIS as f64).sin()))
    }

    /// Draws a product of this part of the catalogue; to be called after [`refresh`](Self::refresh).
    pub(super) fn draw(&self, part: Range<usize>, random: &mut ChaCha8Rng) -> usize {
        let sum_before = |place: usize| place.checked_sub(1).map_or(0.0, |before| self.sums[before]);
        let (low, high) = (sum_before(part.start), sum_before(part.end));
        let drawn = low + random.random::<f64>() * (high - low);
        // Rounding may reach the end.
        self.sums.partition_point(|sum| *sum <= drawn).clamp(part.start, part.end - 1)
    }

    /// The product that is drawn most often at this time.
    pub(super) fn top(&mut self, now: EventTime) -> usize {
        self.refresh(now);
        let mut before = 0.0;
        let mut top = (0, 0.0);
        for (place, sum) in self.sums.iter().enumerate() {
            if sum - before > top.1 {
                top = (place, sum - before);
            }
            before = *sum;
        }
        top.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A moment at which nothing goes round.
    fn quiet() -> EventTime {
        EventTime::from_millis(ROUND_EVERY_MILLIS * 1_000 + ROUND_MILLIS).unwrap()
    }

    fn draws(popularity: &mut Popularity, now: EventTime, part: Range<usize>, count: usize) -> Vec<usize> {
        popularity.refresh(now);
        let mut random = ChaCha8Rng::seed_from_u64(7);
        (0..count).map(|_| popularity.draw(part.clone(), &mut random)).collect()
    }

    #[test]
    fn few_products_get_most_of_the_looks_and_every_product_gets_some() {
        let mut popularity = Popularity::new(1, 300);
        let mut counts = vec![0; 300];
        draws(&mut popularity, quiet(), 0..300, 100_000).into_iter().for_each(|product| counts[product] += 1);
        let top = popularity.top(quiet());
        counts.sort_unstable();
        assert!(counts[0] > 0);
        let best: u32 = counts[270..].iter().sum();
        assert!((40_000..80_000).contains(&best), "{best}");
        let mut popularity = Popularity::new(1, 300);
        let share = draws(&mut popularity, quiet(), 0..300, 10_000).iter().filter(|product| **product == top).count();
        assert!(share > 400, "{share}");
    }

    #[test]
    fn a_part_of_the_catalogue_is_drawn_from_alone() {
        let mut popularity = Popularity::new(1, 300);
        let drawn = draws(&mut popularity, quiet(), 25..50, 10_000);
        assert!(drawn.iter().all(|product| (25..50).contains(product)));
        assert!(drawn.contains(&25) && drawn.contains(&49));
    }

    #[test]
    fn now_and_then_a_product_goes_round_and_is_forgotten_again() {
        let height = EventTime::from_millis(ROUND_EVERY_MILLIS * 1_000 + ROUND_MILLIS / 2).unwrap();
        let mut popularity = Popularity::new(1, 300);
        let (viral, _) = popularity.goes_round(height.millis()).unwrap();
        let share = |popularity: &mut Popularity, now| {
            draws(popularity, now, 0..300, 10_000).iter().filter(|product| **product == viral).count()
        };
        assert!(share(&mut popularity, height) > 1_000);
        assert!(share(&mut popularity, quiet()) < 700);
        assert_eq!(popularity.goes_round(quiet().millis()), None);
    }
}
