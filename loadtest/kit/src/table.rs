//! A table for people, on a terminal.

/// Lines of cells in columns that are as wide as their widest cell: the first to the left, the others to the right.
/// Every line has as many cells as the first.
#[must_use]
pub fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        text += &format!("{:<width$}", line[0], width = widths[0]);
        for (cell, width) in line.iter().zip(&widths).skip(1) {
            text += &format!("  {cell:>width$}");
        }
        text += "\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let line = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let table = aligned(&[line(["what", "a", "number"]), line(["a long name", "12345", "1"])]);
        assert_eq!(table, "what             a  number\na long name  12345       1\n");
        assert_eq!(aligned(&[]), "");
    }
}
