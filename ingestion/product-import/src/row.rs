//! A row's values as they are sent, and the key by which the same row is known again.
//!
//! Key and body are a contract with requests of the last thirty days: another spelling of either would make rows that were
//! imported before look new, or be refused as a reused key.

use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::Error;
use crate::file::Layout;
use crate::file::header::IMPORTED;
use crate::file::records::Record;

/// What the gateway keeps for thirty days begins so.
const KEY_PREFIX: &str = "csv-";
/// Where the price is among [`IMPORTED`].
const PRICE: usize = 2;

/// Where a file is: part of its rows' keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The bucket; `file` for a file on a laptop.
    pub bucket: String,
    /// The object's key, or the file's name.
    pub key: String,
}

/// The five values of a row, in the order of [`IMPORTED`]; empty ones are absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row([Option<String>; IMPORTED.len()]);

/// What makes a row the same as another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowHash([u8; 32]);

impl Row {
    /// A record without [faults](Record::fault).
    pub(crate) fn read(record: &Record, layout: &Layout) -> Self {
        let mut values = layout.columns.places.map(|place| {
            let cell = record.cells.get(place?)?;
            (!cell.is_empty()).then(|| String::from_utf8_lossy(cell).into_owned())
        });
        if layout.dialect.has_decimal_comma()
            && let Some(price) = &mut values[PRICE]
        {
            with_decimal_point(price);
        }
        Row(values)
    }

    /// The hash of where the file is and of the row's values, each after its length.
    pub(crate) fn hash(&self, origin: &Origin) -> RowHash {
        let mut hash = Sha256::new();
        let values = self.0.iter().map(|value| value.as_deref().unwrap_or(""));
        for part in [origin.bucket.as_str(), &origin.key].into_iter().chain(values) {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        RowHash(hash.finalize().into())
    }

    /// The body of the request that makes the product.
    pub(crate) fn body(&self) -> Result<Vec<u8>, Error> {
        let [name, description, price, category, stock_quantity] = self.0.each_ref().map(Option::as_deref);
        let stock_quantity = stock_quantity.map(number_or_text).transpose();
        let body = stock_quantity.and_then(|stock_quantity| {
            serde_json::to_vec(&Body { name, description, price, category, stock_quantity })
        });
        body.map_err(|error| Error::Internal(format!("a row cannot be written as JSON: {error}")))
    }
}

impl RowHash {
    /// The `Idempotency-Key` of the row's request.
    pub(crate) fn key(self) -> String {
        self.0.iter().fold(KEY_PREFIX.to_owned(), |mut key, byte| {
            for half in [byte >> 4, byte & 15] {
                key.push(char::from_digit(half.into(), 16).unwrap_or_default());
            }
            key
        })
    }

    /// Enough of it that no two rows of a file are taken for each other.
    pub(crate) fn short(self) -> [u8; 16] {
        let mut short = [0; 16];
        short.copy_from_slice(&self.0[..16]);
        short
    }
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stock_quantity: Option<Box<RawValue>>,
}

/// `19,90` as `19.90`. What has both marks, or several, could be read in two ways: the gateway refuses it.
fn with_decimal_point(price: &mut String) {
    if price.matches(',').count() == 1 && !price.contains('.') {
        *price = price.replace(',', ".");
    }
}

/// A whole number as JSON has it, anything else as a text: the gateway says what is wrong with it.
fn number_or_text(text: &str) -> Result<Box<RawValue>, serde_json::Error> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_json = is_whole && (digits == "0" || !digits.starts_with('0'));
    if is_json { RawValue::from_string(text.to_owned()) } else { serde_json::value::to_raw_value(text) }
}

#[cfg(test)]
mod tests {
    use csv::ByteRecord;

    use super::*;
    use crate::file::Encoding;
    use crate::file::dialect::Dialect;
    use crate::file::header::Columns;

    fn row(delimiter: u8, cells: [&str; 5]) -> Row {
        let record = |cells: [&str; 5]| Record { line: 1, cells: ByteRecord::from(&cells[..]), is_open: false };
        let layout = Layout {
            encoding: Encoding::Utf8,
            dialect: Dialect { delimiter, named_bytes: 0 },
            columns: Columns::read(record(IMPORTED)).unwrap(),
        };
        Row::read(&record(cells), &layout)
    }

    fn body(delimiter: u8, cells: [&str; 5]) -> String {
        String::from_utf8(row(delimiter, cells).body().unwrap()).unwrap()
    }

    fn key(cells: [&str; 5]) -> String {
        let origin = Origin { bucket: "imports".to_owned(), key: "a.csv".to_owned() };
        row(b',', cells).hash(&origin).key()
    }

    #[test]
    fn values_are_sent_as_they_are_and_empty_ones_not_at_all() {
        assert_eq!(
            body(b',', ["Lamp", " two\nlines \"", "19.90", "", "5"]),
            r#"{"name":"Lamp","description":" two\nlines \"","price":"19.90","stock_quantity":5}"#
        );
        assert_eq!(body(b',', ["", "", "", "", ""]), "{}");
    }

    #[test]
    fn a_whole_number_of_pieces_is_a_number_and_anything_else_a_text() {
        for number in ["0", "-3", "99999999999999999999"] {
            assert_eq!(body(b',', ["", "", "", "", number]), format!(r#"{{"stock_quantity":{number}}}"#));
        }
        for text in ["", "-", "+5", "05", "1.0", "1e3", " 1", "many"].into_iter().skip(1) {
            assert_eq!(body(b',', ["", "", "", "", text]), format!(r#"{{"stock_quantity":"{text}"}}"#));
        }
    }

    #[test]
    fn prices_of_files_with_semicolons_may_have_a_comma() {
        let price = |delimiter, price| body(delimiter, ["", "", price, "", ""]);
        assert_eq!(price(b';', "19,90"), r#"{"price":"19.90"}"#);
        assert_eq!(price(b';', "19.90"), r#"{"price":"19.90"}"#);
        for unclear in ["1.234,50", "1,234,567"] {
            assert_eq!(price(b';', unclear), format!(r#"{{"price":"{unclear}"}}"#));
        }
        assert_eq!(price(b',', "19,90"), r#"{"price":"19,90"}"#);
    }

    #[test]
    fn the_key_is_the_same_for_the_same_values_however_they_are_spelled_in_the_file() {
        let origin = Origin { bucket: "imports".to_owned(), key: "a.csv".to_owned() };
        let comma = row(b';', ["Lamp", "", "19,90", "", ""]).hash(&origin).key();
        assert_eq!(comma, key(["Lamp", "", "19.90", "", ""]));
        // Taken down once: rows that are known by it are in the shop.
        assert_eq!(comma, "csv-4748a2db78941d4aed69794fcc0c2ba3c2000ea1851192348e9bca61ef601a9c");
    }

    #[test]
    fn another_place_or_value_is_another_key() {
        let cells = ["a", "b", "1", "", ""];
        let other = Origin { bucket: "imports".to_owned(), key: "b.csv".to_owned() };
        assert_ne!(row(b',', cells).hash(&other).key(), key(cells));
        for other in
            [["ab", "", "1", "", ""], ["a", "", "b1", "", ""], ["b", "a", "1", "", ""], ["a", "b", "", "1", ""]]
        {
            assert_ne!(key(other), key(cells), "{other:?}");
        }
    }
}
