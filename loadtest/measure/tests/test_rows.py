import tempfile
import unittest
from pathlib import Path

from measure.rows import BadRow, compare, read_rows, row_files

ANSWERS = {("7", 60_000): 3, ("8", 60_000): 1, ("7", 120_000): 5}


class RowsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def test_rows_in_tabs_and_in_json_mean_the_same(self):
        self.write("a.tsv", "7\t60000\t3\n8\t60000\t1\n")
        self.write("part/b.ndjson", '{"product_id":"7","window_start":"1970-01-01T00:02:00Z","unique_user_count":5}\n')
        self.write(".b.crc", "no row")
        self.write(".hidden/c", "no row")
        self.assertEqual(read_rows(row_files(self.folder)), (ANSWERS, 0))

    def test_a_line_that_is_no_row_is_named(self):
        self.write("a.tsv", "7\t60000\t3\n7\tx\t3\n")
        with self.assertRaisesRegex(BadRow, "a.tsv:2: not a row of counts: .*7.tx.t3"):
            read_rows(row_files(self.folder))

    def test_equal_rows_are_equal(self):
        self.assertEqual(str(compare(dict(ANSWERS), 0, ANSWERS)), "equal")

    def test_every_kind_of_difference_is_counted(self):
        rows = {("7", 60_000): 1, ("9", 60_000): 4, ("7", 120_000): 5}
        self.assertEqual(
            str(compare(rows, 0, ANSWERS)),
            "differs: missing rows 1, extra rows 1, different counts 1, sum of |difference| 7",
        )

    def test_a_row_that_came_twice_is_an_extra_row(self):
        self.write("a.tsv", "7\t60000\t3\n" * 2)
        rows, repeated = read_rows(row_files(self.folder))
        self.assertEqual(compare(rows, repeated, {("7", 60_000): 3}).extra, 1)
