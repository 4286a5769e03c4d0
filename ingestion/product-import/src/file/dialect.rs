//! How a file separates its cells, and how it writes numbers.

use csv::ByteRecord;

use super::header::Columns;
use super::records::{Splitter, Step};

/// What is tried, in this order.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];
/// What a first line begins with that names the delimiter to Excel.
const NAMED: &[u8] = b"sep=";

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// What stands between cells.
    pub(crate) delimiter: u8,
    /// How many bytes the `sep=` line has, its line end included; 0 without one.
    pub(crate) named_bytes: usize,
}

impl Dialect {
    /// The dialect of a file that begins so; `is_whole` where this is all of it.
    ///
    /// The first line may name the delimiter. Else it is the one with which the header has name and price, or the most columns.
    pub(crate) fn of(head: &[u8], is_whole: bool) -> Self {
        if let Some(dialect) = Self::named(head, is_whole) {
            return dialect;
        }
        let columns = |delimiter: &u8| match first_record(head, *delimiter, is_whole) {
            Some(header) => (Columns::has_needed(&header), header.len()),
            None => (false, 0),
        };
        // The last of several greatest ones is taken: the first one, from the back.
        let delimiter = DELIMITERS.into_iter().rev().max_by_key(columns).unwrap_or(b',');
        Dialect { delimiter, named_bytes: 0 }
    }

    fn named(head: &[u8], is_whole: bool) -> Option<Self> {
        let (name, rest) = head.split_at_checked(NAMED.len())?;
        let (delimiter, rest) = rest.split_first()?;
        let line_end = match rest {
            [b'\r', b'\n', ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            [] if is_whole => 0,
            _ => return None,
        };
        let can_separate = delimiter.is_ascii() && !matches!(delimiter, b'"' | b'\r' | b'\n');
        (name.eq_ignore_ascii_case(NAMED) && can_separate)
            .then_some(Dialect { delimiter: *delimiter, named_bytes: NAMED.len() + 1 + line_end })
    }

    /// The physical line after the `sep=` line.
    pub(crate) const fn first_line(self) -> u64 {
        if self.named_bytes == 0 { 1 } else { 2 }
    }

    /// Whether prices have a comma for a point: where cells are separated by semicolons, it is because of that.
    pub(crate) const fn has_decimal_comma(self) -> bool {
        self.delimiter == b';'
    }

    /// What stands between cells in the file of errors: a mended one is read as this file was.
    pub(crate) const fn errors_delimiter(self) -> u8 {
        if self.has_decimal_comma() { b';' } else { b',' }
    }
}

/// The header, if the text has all of it.
fn first_record(head: &[u8], delimiter: u8, is_whole: bool) -> Option<ByteRecord> {
    let mut splitter = Splitter::new(delimiter, 1);
    let mut step = splitter.step(head).0;
    if step == Step::More && is_whole {
        step = splitter.step(&[]).0;
    }
    match step {
        Step::Record(record) => Some(record.cells),
        Step::More | Step::End | Step::TooLong(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delimiter(head: &str) -> char {
        char::from(Dialect::of(head.as_bytes(), true).delimiter)
    }

    #[test]
    fn the_delimiter_is_the_one_with_which_name_and_price_are_columns() {
        assert_eq!(delimiter("name,price\n"), ',');
        assert_eq!(delimiter("price;name;category\n"), ';');
        assert_eq!(delimiter(" Name \tPRICE\n"), '\t');
        assert_eq!(delimiter("name;price;a,b,c,d,e\n"), ';');
        assert_eq!(delimiter("\"a;b;c;d\",name,price"), ',');
        assert_eq!(delimiter("\n\n\"name\"\t\"price\"\t\"two\nlines\""), '\t');
    }

    #[test]
    fn without_them_the_one_with_the_most_columns_tells_best_what_is_missing() {
        assert_eq!(delimiter("title;cost;group\n"), ';');
        assert_eq!(delimiter("title"), ',');
        assert_eq!(delimiter(""), ',');
    }

    #[test]
    fn a_first_line_may_name_the_delimiter() {
        for (head, bytes) in [("sep=;\nname,price", 6), ("SEP=;\r\nname;price", 7), ("sep=;\rname", 6), ("sep=;", 5)] {
            let dialect = Dialect::of(head.as_bytes(), true);
            assert_eq!((dialect.delimiter, dialect.named_bytes, dialect.first_line()), (b';', bytes, 2), "{head:?}");
        }
        for head in ["sep=;;\nname", "sep=\"\nname", "sep=\n", "separator,name", "sep=\u{e9}\n"] {
            assert_eq!(Dialect::of(head.as_bytes(), true).named_bytes, 0, "{head:?}");
        }
    }

    #[test]
    fn errors_of_a_file_with_decimal_commas_have_semicolons_too() {
        let errors = |delimiter| char::from(Dialect { delimiter, named_bytes: 0 }.errors_delimiter());
        assert_eq!([errors(b';'), errors(b','), errors(b'\t'), errors(b'|')], [';', ',', ',', ',']);
    }
}
