//! Views: what is computed from the increments, as differential collections.
//!
//! A view takes a collection and gives a collection; a few lines each. The one that Footfall is named after stands
//! here.

use differential_dataflow::VecCollection;
use differential_dataflow::operators::CountTotal;
use schemas::Window;

use crate::distinct::Time;
use crate::id::ProductId;

/// How many users each product has in each window: one record `(window, product)` for each user.
pub type Viewers<'scope> = VecCollection<'scope, Time, (Window, ProductId), i64>;

/// A count, as an update of a collection: `(((window, product), users), time, change)`.
pub type Count = (((Window, ProductId), i64), Time, isize);

/// The number of different users of each product and window.
#[must_use]
pub fn unique_users<'scope>(
    viewers: Viewers<'scope>,
) -> VecCollection<'scope, Time, ((Window, ProductId), i64), isize> {
    viewers.count_total()
}
