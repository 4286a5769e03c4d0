//! The file of rows that failed: why, and the row as it was read, so that it can be mended and imported.
//!
//! It is written on this machine first, as objects are only written whole.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder, Terminator, Writer, WriterBuilder};
use tempfile::NamedTempFile;

use crate::Error;
use crate::file::Layout;
use crate::file::header::{ADDED, Columns};
use crate::file::records::Record;

/// Tells the encoding to the program that wrote one into the original.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// The file, as far as it is.
pub(crate) struct ErrorsFile {
    spool: NamedTempFile,
    writer: Writer<BufWriter<File>>,
    columns: Columns,
    delimiter: u8,
}

/// Why a row failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowFault {
    /// For programs: one of the list in `schemas`, or the kind of a problem.
    pub(crate) code: String,
    /// For people.
    pub(crate) detail: String,
}

impl ErrorsFile {
    /// An empty one, with the header of the original behind its own columns.
    pub(crate) fn create(layout: &Layout) -> Result<Self, Error> {
        let failed = |cause| Error::File { path: std::env::temp_dir().display().to_string(), cause };
        let spool = NamedTempFile::new().map_err(failed)?;
        let mut file = BufWriter::new(spool.reopen().map_err(failed)?);
        if layout.encoding.has_mark() {
            file.write_all(MARK).map_err(failed)?;
        }
        let delimiter = layout.dialect.errors_delimiter();
        let writer = WriterBuilder::new()
            .delimiter(delimiter)
            .terminator(Terminator::CRLF)
            // Rows with too many cells keep them.
            .flexible(true)
            .from_writer(file);
        let mut errors = ErrorsFile { spool, writer, columns: layout.columns.clone(), delimiter };
        let header = errors.line(ADDED, &errors.columns.header.clone());
        errors.write(&header)?;
        Ok(errors)
    }

    /// Adds a row. Bytes that are no characters are shown as such.
    pub(crate) fn add(&mut self, record: &Record, fault: &RowFault) -> Result<(), Error> {
        let line = record.line.to_string();
        let row = self.line([&line, &fault.code, &fault.detail], &record.cells);
        self.write(&row)
    }

    /// Takes over the rows before `line` from a file that an earlier part of the import has left; returns how many there are.
    pub(crate) fn restore(&mut self, left: &Path, line: u64) -> Result<u64, Error> {
        let reader = ReaderBuilder::new().delimiter(self.delimiter).flexible(true).from_path(left);
        let mut reader = reader.map_err(|error| unreadable(left, error))?;
        let (mut record, mut restored) = (ByteRecord::new(), 0);
        while reader.read_byte_record(&mut record).map_err(|error| unreadable(left, error))? {
            let row = record.get(0).and_then(|cell| std::str::from_utf8(cell).ok()?.parse::<u64>().ok());
            if row.is_some_and(|row| row < line) {
                self.write(&record)?;
                restored += 1;
            }
        }
        Ok(restored)
    }

    /// Where everything added so far can be read.
    pub(crate) fn flushed(&mut self) -> Result<&Path, Error> {
        self.writer.flush().map_err(|cause| Error::file(self.spool.path(), cause))?;
        Ok(self.spool.path())
    }

    fn line(&self, own: [&str; ADDED.len()], cells: &ByteRecord) -> ByteRecord {
        let mut line = ByteRecord::from(&own[..]);
        for (_, cell) in cells.iter().enumerate().filter(|(place, _)| self.columns.is_repeated(*place)) {
            line.push_field(String::from_utf8_lossy(cell).as_bytes());
        }
        line
    }

    fn write(&mut self, row: &ByteRecord) -> Result<(), Error> {
        self.writer.write_byte_record(row).map_err(|error| unreadable(self.spool.path(), error))
    }
}

fn unreadable(path: &Path, error: csv::Error) -> Error {
    Error::file(path, error.into())
}
