//! Views: what is computed from the increments, as differential collections.
//!
//! A view takes a collection and gives a collection; a few lines each. The one that Footfall is named after stands
//! here.

use differential_dataflow::operators::CountTotal;
use differential_dataflow::{AsCollection, VecCollection};
use schemas::Window;
use timely::dataflow::operators::vec::Map;

use crate::distinct::Time;
use crate::id::ProductId;

/// How many users each product has in each window: one record `(window, product)` for each user.
pub type Viewers<'scope> = VecCollection<'scope, Time, (Window, ProductId), i64>;

/// A count, as an update of a collection: `(((window, product), users), time, change)`.
pub type Count = (((Window, ProductId), i64), Time, isize);

/// The number of different users of each product and window; an event may change it up to `horizon` windows after its
/// own.
#[must_use]
pub fn unique_users<'scope>(
    viewers: Viewers<'scope>,
    horizon: Time,
) -> VecCollection<'scope, Time, ((Window, ProductId), i64), isize> {
    if horizon > 0 {
        return until_over(viewers, horizon).count_total();
    }
    // All that a window ever gets comes at one time: its sum is its count, and no trace of it has to be kept.
    let sums = viewers.consolidate().inner;
    sums.map(|(key, time, users)| ((key, users), time, 1)).as_collection()
}

/// The same with everything taken back once no event can change it: what a view arranges stays bounded.
#[must_use]
pub fn until_over(viewers: Viewers<'_>, horizon: Time) -> Viewers<'_> {
    let over = viewers.clone().inner.map(move |((window, product), _, users)| {
        let time = Time::from(window.ordinal()) + horizon + 1;
        ((window, product), time, -users)
    });
    viewers.concat(over.as_collection())
}
