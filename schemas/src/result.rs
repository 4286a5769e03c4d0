//! Result rows: how many different users looked at a product in a window.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::Window;
use crate::wire::{is_id, present};

/// One final count. Written to files and standard output as it is, to Kafka as a [`TopicRow`].
///
/// ```json
/// {"product_id":"42","window_start":"2024-01-01T12:00:00Z","window_end":"2024-01-01T12:01:00Z","unique_user_count":17,"revision":0}
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultRow {
    /// The product that was looked at.
    pub product_id: String,
    /// The minute in which it was looked at.
    pub window: Window,
    /// How many different users looked at it; at least 1.
    pub unique_user_count: u64,
    /// 0 for the first final row of a product and window; strictly increasing, not dense.
    pub revision: u64,
}

/// A result row as the results topic carries it: with the field `final`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicRow {
    /// The count.
    pub row: ResultRow,
    /// Whether the window had closed; a live count of an open window says `false`.
    pub is_final: bool,
}

impl TopicRow {
    /// What readers compare: of two rows for the same product and window, the one with the greater rank is the newer.
    #[must_use]
    pub const fn rank(&self) -> (bool, u64, u64) {
        (self.is_final, self.row.revision, self.row.unique_user_count)
    }
}

/// The fields on the wire, in their written order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    #[serde(borrow)]
    product_id: std::borrow::Cow<'a, str>,
    window_start: String,
    window_end: String,
    unique_user_count: u64,
    revision: u64,
    #[serde(rename = "final", skip_serializing_if = "Option::is_none", default, deserialize_with = "present")]
    is_final: Option<bool>,
}

impl<'a> Wire<'a> {
    fn new(row: &'a ResultRow, is_final: Option<bool>) -> Self {
        Wire {
            product_id: row.product_id.as_str().into(),
            window_start: row.window.start_text(),
            window_end: row.window.end_text(),
            unique_user_count: row.unique_user_count,
            revision: row.revision,
            is_final,
        }
    }

    fn into_row<E: Error>(self) -> Result<ResultRow, E> {
        let window = Window::from_start_text(&self.window_start).map_err(|_| {
            E::custom(format_args!("window_start {:?} is not a whole minute in UTC", self.window_start))
        })?;
        if self.window_end != window.end_text() {
            return Err(E::custom(format_args!(
                "window_end {:?} is not one minute after window_start",
                self.window_end
            )));
        }
        if !is_id(&self.product_id) {
            return Err(E::custom("product_id is not a string of 1 to 256 bytes"));
        }
        if self.unique_user_count == 0 {
            return Err(E::custom("unique_user_count is 0; a product without users has no row"));
        }
        Ok(ResultRow {
            product_id: self.product_id.into_owned(),
            window,
            unique_user_count: self.unique_user_count,
            revision: self.revision,
        })
    }
}

impl Serialize for ResultRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire::new(self, None).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ResultRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        if wire.is_final.is_some() {
            return Err(D::Error::custom("unknown field `final`; rows in files are always final"));
        }
        wire.into_row()
    }
}

impl Serialize for TopicRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire::new(&self.row, Some(self.is_final)).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TopicRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        let is_final = wire.is_final.ok_or_else(|| D::Error::missing_field("final"))?;
        Ok(TopicRow { row: wire.into_row()?, is_final })
    }
}
