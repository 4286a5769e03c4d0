//! Any table of cells, written in any dialect, reads back to the same cells on the same lines.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// A file in pieces.
struct Pieces(VecDeque<Bytes>);

impl Pieces {
    fn of(content: &[u8], piece: usize) -> Self {
        Pieces(content.chunks(piece).map(Bytes::copy_from_slice).collect())
    }
}

impl Chunks for Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        Ok(self.0.pop_front())
    }
}

/// What a file says: its layout and its records.
type Reading = Result<(Layout, Vec<Record>), Refusal>;

fn read(content: &[u8], piece: usize) -> Reading {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (mut file, layout) = CsvFile::open(Pieces::of(content, piece)).await.unwrap()?;
        let mut records = Vec::new();
        loop {
            match file.next().await.unwrap() {
                Step::Record(record) => records.push(record),
                Step::End => return Ok((layout, records)),
                Step::TooLong(line) => return Err(too_long(line)),
                Step::More => unreachable!("there is always something to tell"),
            }
        }
    })
}

/// How a table is written.
#[derive(Clone, Debug)]
struct Writing {
    delimiter: char,
    line_end: &'static str,
    is_named: bool,
    quotes_all: bool,
    ends_with_line: bool,
    encoding: Encoding,
    /// Blank lines before each record.
    blanks: Vec<usize>,
}

fn writing() -> impl Strategy<Value = Writing> {
    let encodings = [Encoding::Utf8, Encoding::Utf8WithMark, Encoding::Utf16Le, Encoding::Utf16Be];
    let parts = (
        prop::sample::select(vec![',', ';', '\t', '|']),
        prop::sample::select(vec!["\n", "\r\n", "\r"]),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        prop::sample::select(encodings.to_vec()),
        prop::collection::vec(prop_oneof![4 => Just(0_usize), 1 => 1_usize..3], 1..12),
    );
    parts.prop_map(|(delimiter, line_end, is_named, quotes_all, ends_with_line, encoding, blanks)| Writing {
        delimiter,
        line_end,
        // Another delimiter than the usual ones has to be named.
        is_named: is_named || delimiter == '|',
        quotes_all,
        ends_with_line,
        encoding,
        blanks,
    })
}

impl Writing {
    /// The file, and the line on which each record starts.
    fn write(&self, records: &[Vec<String>]) -> (Vec<u8>, Vec<u64>) {
        let (mut text, mut lines) = (String::new(), Vec::new());
        if self.is_named {
            text.push_str(&format!("sep={}{}", self.delimiter, self.line_end));
        }
        for (index, record) in records.iter().enumerate() {
            let blanks = self.blanks.get(index).copied().unwrap_or(0);
            text.push_str(&self.line_end.repeat(blanks));
            lines.push(1 + line_ends(&text));
            let cells: Vec<_> = record.iter().map(|cell| self.cell(cell, record.len())).collect();
            text.push_str(&cells.join(&self.delimiter.to_string()));
            if index + 1 < records.len() || self.ends_with_line {
                text.push_str(self.line_end);
            }
        }
        (self.encode(&text), lines)
    }

    fn cell(&self, cell: &str, cells: usize) -> String {
        // An empty cell alone in its row would be a blank line.
        let needs_quotes = cell.contains([self.delimiter, '"', '\r', '\n']) || (cells == 1 && cell.is_empty());
        if self.quotes_all || needs_quotes { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
    }

    fn encode(&self, text: &str) -> Vec<u8> {
        let units = || format!("\u{feff}{text}");
        match self.encoding {
            Encoding::Utf8 => text.as_bytes().to_vec(),
            Encoding::Utf8WithMark => units().into_bytes(),
            Encoding::Utf16Le => units().encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Encoding::Utf16Be => units().encode_utf16().flat_map(u16::to_be_bytes).collect(),
        }
    }
}

/// How many lines a text ends, counted the naive way.
fn line_ends(text: &str) -> u64 {
    text.replace("\r\n", "\n").replace('\r', "\n").matches('\n').count() as u64
}

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        // What a parser could stumble over, in any order.
        3 => "[a-c,;\t|\"\r\n é🧀]{0,8}",
        1 => "[^\u{feff}\u{0}]{0,6}",
    ]
}

/// Rows of 2 to 6 columns below a header that has name and price.
fn table() -> impl Strategy<Value = Vec<Vec<String>>> {
    (2_usize..7).prop_flat_map(|columns| {
        prop::collection::vec(prop::collection::vec(cell(), columns), 0..12).prop_map(move |mut records| {
            let names = ["price", "name", "category", "colour", "size", "description"];
            records.insert(0, names[..columns].iter().map(|name| (*name).to_owned()).collect());
            records
        })
    })
}

proptest! {
    #[test]
    fn any_table_in_any_dialect_reads_back(table in table(), writing in writing(), piece in 1_usize..40) {
        let (content, lines) = writing.write(&table);
        let (layout, records) = read(&content, piece).unwrap();
        prop_assert_eq!(char::from(layout.dialect.delimiter), writing.delimiter);
        prop_assert_eq!(layout.encoding, writing.encoding);
        let cells: Vec<Vec<String>> = records
            .iter()
            .map(|record| record.cells.iter().map(|cell| String::from_utf8(cell.to_vec()).unwrap()).collect())
            .collect();
        prop_assert_eq!(&cells[..], &table[1..]);
        let starts: Vec<_> = records.iter().map(|record| record.line).collect();
        prop_assert_eq!(&starts[..], &lines[1..]);
        prop_assert!(records.iter().all(|record| !record.is_open && record.fault(&layout.columns).is_none()));
    }

    #[test]
    fn any_bytes_read_the_same_however_they_come(
        begin in prop::sample::select(vec!["", "name,price\n", "sep=;\nname;price\n", "\u{feff}name\tprice\r"]),
        bytes in prop::collection::vec(prop_oneof![prop::sample::select(b",;\t\"\r\nab\xff\xfe\xef".to_vec()), any::<u8>()], 0..200),
        piece in 1_usize..50,
    ) {
        let content = [begin.as_bytes(), &bytes].concat();
        let whole = read(&content, content.len().max(1));
        let pieces = read(&content, piece);
        match (whole, pieces) {
            (Ok((_, whole)), Ok((_, pieces))) => {
                prop_assert_eq!(&whole, &pieces);
                // Each starts on a line of its own, and only the last one can be open.
                prop_assert!(whole.windows(2).all(|pair| pair[0].line < pair[1].line && !pair[0].is_open));
            }
            (Err(whole), Err(pieces)) => prop_assert_eq!(whole, pieces),
            (whole, pieces) => prop_assert!(false, "{:?} and {:?}", whole.is_ok(), pieces.is_ok()),
        }
    }
}

#[test]
fn a_header_is_found_behind_more_than_the_head_of_blank_lines_or_told_as_missing() {
    let content = format!("{}name,price\nLamp,1\n", "\n".repeat(3 * HEAD_BYTES));
    let (_, records) = read(content.as_bytes(), 10_000).unwrap();
    assert_eq!(records[0].line, 3 * HEAD_BYTES as u64 + 2);
}
