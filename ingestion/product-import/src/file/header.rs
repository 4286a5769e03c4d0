//! Which column is what.

use csv::ByteRecord;
use schemas::FieldCode;

use super::Refusal;
use super::records::Record;

/// The columns that are imported, in the order of [`crate::row::Row`]'s values.
pub(crate) const IMPORTED: [&str; 5] = ["name", "description", "price", "category", "stock_quantity"];
/// Those without which nothing can be imported.
const NEEDED: [&str; 2] = ["name", "price"];
/// What a file of errors has before the original columns; in a mended one they are of no interest.
pub(crate) const ADDED: [&str; 3] = ["line", "reason", "detail"];

/// A file's columns.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    /// The header as it was read.
    pub(crate) header: ByteRecord,
    /// Where each of [`IMPORTED`] is.
    pub(crate) places: [Option<usize>; IMPORTED.len()],
    /// Columns that are not imported, as the header has them.
    pub(crate) ignored: Vec<String>,
}

impl Columns {
    /// The columns that a header tells, in any order.
    ///
    /// # Errors
    /// A needed column that is not there, or an imported one that is there twice.
    pub(crate) fn read(header: Record) -> Result<Self, Refusal> {
        let Record { line, cells: header, .. } = header;
        let (mut places, mut ignored) = ([None; IMPORTED.len()], Vec::new());
        for (place, cell) in header.iter().enumerate() {
            let name = normal(cell);
            match IMPORTED.iter().position(|imported| *imported == name) {
                None if name.is_empty() => {}
                None => ignored.push(String::from_utf8_lossy(cell).trim().to_owned()),
                Some(index) if places[index].is_none() => places[index] = Some(place),
                Some(_) => {
                    let detail = format!("the header has the column {name} twice; leave one of them out");
                    return Err(Refusal { code: FieldCode::DuplicateColumn, detail, line: Some(line) });
                }
            }
        }
        let columns = Columns { header, places, ignored };
        match NEEDED.into_iter().find(|needed| !has(&columns.header, needed)) {
            None => Ok(columns),
            Some(missing) => {
                let detail = format!(
                    "the header has no column {missing}, but {}; name the columns {} in the first line",
                    names(&columns.header),
                    IMPORTED.join(", ")
                );
                Err(Refusal { code: FieldCode::MissingColumn, detail, line: Some(line) })
            }
        }
    }

    /// Whether a header has the needed columns.
    pub(crate) fn has_needed(header: &ByteRecord) -> bool {
        NEEDED.iter().all(|needed| has(header, needed))
    }

    /// Whether a file of errors repeats this column.
    pub(crate) fn is_repeated(&self, place: usize) -> bool {
        self.header.get(place).is_none_or(|cell| !ADDED.contains(&normal(cell).as_str()))
    }
}

/// A column's name without what does not count.
fn normal(cell: &[u8]) -> String {
    String::from_utf8_lossy(cell).trim().to_lowercase()
}

fn has(header: &ByteRecord, name: &str) -> bool {
    header.iter().any(|cell| normal(cell) == name)
}

/// The names for people: the first few, and not at any length.
fn names(header: &ByteRecord) -> String {
    let shown = header.iter().take(10).map(|cell| {
        let name: String = String::from_utf8_lossy(cell).trim().chars().take(40).collect();
        format!("{name:?}")
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cells: &[&str]) -> Result<Columns, Refusal> {
        Columns::read(Record { line: 2, cells: ByteRecord::from(cells.to_vec()), is_open: false })
    }

    #[test]
    fn order_case_and_spaces_of_names_do_not_matter() {
        let columns = read(&["PRICE ", "Stock_Quantity", "\u{a0}name", "", "colour", ""]).unwrap();
        assert_eq!(columns.places, [Some(2), None, Some(0), None, Some(1)]);
        assert_eq!(columns.ignored, ["colour"]);
    }

    #[test]
    fn a_missing_column_is_named_with_what_is_there() {
        let refusal = read(&["name", "cost"]).unwrap_err();
        assert_eq!((refusal.code, refusal.line), (FieldCode::MissingColumn, Some(2)));
        assert!(refusal.detail.contains("no column price, but \"name\", \"cost\""), "{}", refusal.detail);
    }

    #[test]
    fn an_imported_column_is_there_once() {
        assert_eq!(read(&["name", "price", "Name"]).unwrap_err().code, FieldCode::DuplicateColumn);
        assert!(read(&["name", "price", "note", "note"]).is_ok());
    }

    #[test]
    fn the_columns_that_a_file_of_errors_adds_are_not_repeated_in_the_next() {
        let columns = read(&["line", "reason", "Detail", "name", "price"]).unwrap();
        assert_eq!(columns.ignored, ["line", "reason", "Detail"]);
        let repeated: Vec<_> = (0..6).filter(|place| columns.is_repeated(*place)).collect();
        assert_eq!(repeated, [3, 4, 5]);
    }
}
