import unittest
from xml.dom.minidom import parseString

from measure import bars, lines, svg
from measure.spread import Spread
from measure.table import aligned


class ChartsTest(unittest.TestCase):
    def test_numbers_are_short(self):
        shorts = [svg.short(number) for number in (0, 12.34, 999, 999_600, 2_234_000, 123_456_789)]
        self.assertEqual(shorts, ["0", "12.3", "999", "1 M", "2.23 M", "123 M"])

    def test_axis_marks_are_round_and_reach_the_most(self):
        self.assertEqual(svg.marks(7, 4), [0, 2, 4, 6, 8])
        self.assertEqual(svg.marks(0, 4), [0])
        self.assertEqual(svg.marks(400_000, 4), [0, 100_000, 200_000, 300_000, 400_000])

    def test_bars_have_names_values_and_whiskers(self):
        group = [bars.Bar("we & they", 10.0, 8.0, 12.0, "10/s", True), bars.Bar("one run", 5.0, 5.0, 5.0, "5/s", False)]
        picture = parseString(bars.chart("Events", "few", [("from files", group)], ["a remark"]))
        words = [node.firstChild.data for node in picture.getElementsByTagName("text")]
        self.assertEqual(words, ["Events", "few", "from files", "we & they", "10/s", "one run", "5/s", "a remark"])
        self.assertEqual(len(picture.getElementsByTagName("rect")), 3)
        self.assertEqual(len(picture.getElementsByTagName("path")), 3)

    def test_each_curve_has_a_point_for_each_figure(self):
        points = [("1", Spread(1, 1, 2)), ("2", Spread(3, 2, 4))]
        rows = [[lines.Curve("a", points), lines.Curve("b", points)], [lines.Curve("c", points)]]
        picture = parseString(lines.chart("Scaling", "little", rows))
        self.assertEqual(len(picture.getElementsByTagName("polyline")), 3)
        self.assertEqual(len(picture.getElementsByTagName("circle")), 6)

    def test_columns_of_a_table_are_aligned(self):
        table = aligned(["name", "n"], [["a", "10"], ["long name", "5"]], {1})
        self.assertEqual(table, ["name        n", "---------  --", "a          10", "long name   5"])
