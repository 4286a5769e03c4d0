//! What rows are about, in few bytes: millions of users' first events are held by it.

use kit::Trouble;
use schemas::Window;

/// A product in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    /// The window.
    pub(crate) window: Window,
    /// The product.
    pub(crate) product: u32,
}

impl Key {
    /// The key of a row.
    pub(crate) fn new(window: Window, product_id: &str) -> Result<Self, Trouble> {
        Ok(Key { window, product: number(product_id, "")? })
    }
}

/// The number in an id of the generator.
pub(crate) fn number(id: &str, prefix: &str) -> Result<u32, Trouble> {
    let number = id.strip_prefix(prefix).and_then(|digits| digits.parse().ok());
    number.ok_or_else(|| format!("the id {id:?} is none of the generator's: {prefix}1, {prefix}2 and so on").into())
}
