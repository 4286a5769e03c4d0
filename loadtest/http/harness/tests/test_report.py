import unittest

from harness import report
from harness.cases import CASES
from harness.engines import ENGINES
from harness.rounds import Record
from harness.wrk import Load

FOOTFALL, BARE = ENGINES[:2]
CASE = CASES[0]


def record(turn, engine, per_second, refused=0, broken=0):
    return Record(turn, CASE.name, engine.name, Load(per_second, 1000, 1.0, 9.0, refused, broken, 50.0, 0.9, 0.01))


class ReportTest(unittest.TestCase):
    def test_the_ratio_is_the_median_of_those_within_the_rounds(self):
        records = [record(1, FOOTFALL, 100), record(1, BARE, 150), record(2, FOOTFALL, 200), record(2, BARE, 500),
                   record(3, FOOTFALL, 100), record(3, BARE, 200)]
        footfall, bare = report.summaries(records, [FOOTFALL, BARE], [CASE])
        self.assertEqual(footfall["of_footfall"].median, 1.0)
        self.assertEqual(bare["of_footfall"].median, 2.0)
        self.assertEqual(bare["per_second"].median, 200)

    def test_without_footfall_there_is_no_ratio(self):
        rows = report.summaries([record(1, BARE, 150)], [BARE], [CASE])
        self.assertIsNone(rows[0]["of_footfall"])
        self.assertIn("150", report.table(rows)[-1])

    def test_one_refused_or_broken_request_is_a_fault(self):
        good = report.summaries([record(1, BARE, 150)], [BARE], [CASE])
        self.assertEqual(report.faults(good), [])
        for fault in ({"refused": 1}, {"broken": 1}):
            rows = report.summaries([record(1, BARE, 150), record(2, BARE, 150, **fault)], [BARE], [CASE])
            self.assertEqual(len(report.faults(rows)), 1)
