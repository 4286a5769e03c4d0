use super::*;

/// The records of a text that comes in pieces of this many bytes, each as its line and cells.
fn records(text: &[u8], piece: usize) -> Vec<(u64, Vec<String>)> {
    let mut splitter = Splitter::new(b',', 1);
    let mut records = Vec::new();
    for mut text in text.chunks(piece).chain([&[][..]]) {
        loop {
            let (step, read) = splitter.step(text);
            text = &text[read..];
            match step {
                Step::Record(record) => records.push((record.line, texts(&record))),
                Step::More | Step::End => break,
                Step::TooLong(line) => panic!("too long: line {line}"),
            }
            if text.is_empty() {
                break;
            }
        }
    }
    records
}

fn texts(record: &Record) -> Vec<String> {
    record.cells.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect()
}

fn each(expected: &[(u64, &[&str])], text: &str) {
    let expected: Vec<(u64, Vec<String>)> =
        expected.iter().map(|(line, cells)| (*line, cells.iter().map(|cell| (*cell).to_owned()).collect())).collect();
    for piece in 1..=text.len() {
        assert_eq!(records(text.as_bytes(), piece), expected, "{text:?} in pieces of {piece}");
    }
}

#[test]
fn a_record_starts_where_its_first_byte_stands() {
    each(&[(1, &["a", "b"]), (2, &["c", "d"])], "a,b\nc,d\n");
    each(&[(1, &["a", "b"]), (2, &["c", "d"])], "a,b\r\nc,d");
    each(&[(1, &["a", "b"]), (2, &["c", "d"])], "a,b\rc,d\r");
}

#[test]
fn blank_lines_are_counted_and_are_no_records() {
    each(&[(3, &["a"]), (6, &["b"])], "\n\na\n\n\nb\n\n");
    each(&[(3, &["a"]), (6, &["b"])], "\r\n\r\na\r\n\r\n\r\nb\r\n\r\n");
    each(&[(3, &["a"]), (6, &["b"])], "\n\r\na\r\r\n\nb\n");
}

#[test]
fn lines_within_quotes_are_counted() {
    each(&[(1, &["a\n\nb", "c"]), (4, &["d", "e"])], "\"a\n\nb\",c\nd,e\n");
    each(&[(1, &["a\r\nb", "c"]), (3, &["d", "e"])], "\"a\r\nb\",c\r\nd,e\r\n");
    each(&[(2, &["\na", "b\r"]), (5, &["c", "d"])], "\n\"\na\",\"b\r\"\nc,d\n");
}

#[test]
fn quotes_are_read_as_rfc_4180_says_and_elsewhere_as_they_come() {
    each(&[(1, &["say \"yes\"", "5\" pipe", ""])], "\"say \"\"yes\"\"\",5\" pipe,\"\"\n");
    each(&[(1, &[""])], "\"\"\n");
}

#[test]
fn a_quote_that_is_never_closed_is_told() {
    let last = |text: &[u8]| {
        let mut splitter = Splitter::new(b',', 1);
        assert!(matches!(splitter.step(text), (Step::More, _)));
        let Step::Record(record) = splitter.step(&[]).0 else { panic!("no record: {text:?}") };
        assert_eq!(splitter.step(&[]).0, Step::End);
        (record.is_open, texts(&record)[1].clone())
    };
    for (text, cell) in [(&b"a,\"b\nc"[..], "b\nc"), (b"a,\"", ""), (b"a,\"\n", "\n"), (b"a,\"\"\"", "\"")] {
        assert_eq!(last(text), (true, cell.to_owned()), "{text:?}");
    }
    for (text, cell) in [(&b"a,b"[..], "b"), (b"a,\"b\"", "b"), (b"a,b\"", "b\""), (b"a,\"b\"\"\"", "b\""), (b"a,", "")]
    {
        assert_eq!(last(text), (false, cell.to_owned()), "{text:?}");
    }
}

#[test]
fn a_record_that_is_too_long_is_not_read_into_memory() {
    let mut splitter = Splitter::new(b',', 1);
    assert!(matches!(splitter.step(b"a,b\n\n"), (Step::Record(_), 4)));
    let piece = [b'x'; 64 * 1024];
    let (mut step, mut read) = splitter.step(b"\n\"");
    while step == Step::More {
        step = splitter.step(&piece).0;
        read += piece.len();
    }
    assert_eq!(step, Step::TooLong(3));
    assert!(read <= MAX_RECORD_BYTES + 2 * piece.len());
    assert!(splitter.text.len() <= 2 * MAX_RECORD_BYTES);
}

#[test]
fn a_record_of_empty_cells_alone_can_be_too_long() {
    let mut splitter = Splitter::new(b',', 1);
    let text = vec![b','; MAX_RECORD_BYTES + 1];
    assert_eq!(splitter.step(&text).0, Step::TooLong(1));
}

#[test]
fn a_record_as_long_as_allowed_is_read_in_whatever_pieces_it_comes() {
    let mut text = vec![b'x'; MAX_RECORD_BYTES - 1];
    text.push(b'\n');
    for piece in [1_000, MAX_RECORD_BYTES] {
        assert_eq!(records(&text, piece).len(), 1);
    }
}
