import csv
import json
import tempfile
import unittest
from pathlib import Path
from xml.dom.minidom import parse

from measure.process import Cost
from measure.rows import Difference
from peers.runner import report
from peers.runner.peer import Engine
from peers.runner.rounds import Record, Run

EQUAL = Difference(0, 0, 0, 0)
OFF = Difference(1, 0, 2, 5)
CONDITIONS = {"events": 1000, "rounds": 2, "machine": {"processor": "any", "cores": 2, "memory_gib": 8}}


def record(peer, parallelism, walls, difference=EQUAL, failure=None):
    engine = Engine(peer, "batch", parallelism, "files", peer.title(), "it guesses", True)
    runs = [Run(turn, Cost(wall, wall * 2, 50.0, 0.1), difference) for turn, wall in enumerate(walls, 1)]
    return Record(engine, runs, failure)


class ReportTest(unittest.TestCase):
    def setUp(self):
        # Twice as slow in round 2, all of them.
        self.records = [
            record("footfall", 1, [1.0, 2.0]),
            record("footfall", 2, [0.5, 1.0]),
            record("other", 2, [2.0, 4.0], OFF),
            record("third", 4, [3.0, 6.0], failure="round 3: out of luck"),
            record("broken", 1, [], failure="setup: no network"),
        ]
        self.results = report.summaries(self.records, 1000)

    def test_the_ratio_is_to_footfall_with_the_same_parallelism_else_the_first(self):
        ratios = [result.get("time_to_footfall") for result in self.results]
        self.assertEqual([ratio and (ratio["median"], ratio["of"]) for ratio in ratios], [
            (1.0, "footfall/batch@1"), (1.0, "footfall/batch@2"), (4.0, "footfall/batch@2"), (3.0, "footfall/batch@1"),
            None,
        ])

    def test_events_per_second_turn_least_and_most_around(self):
        rate = self.results[0]["events_per_second"]
        self.assertEqual((rate["least"], rate["most"]), (500, 1000))

    def test_the_table_names_differences_with_their_reason_and_failures(self):
        text = "\n".join(report.table(self.results))
        self.assertIn("Other batch, 2: differs: missing rows 1, extra rows 0, different counts 2, "
                      "sum of |difference| 5\n  because: it guesses", text)
        self.assertIn("Broken batch, 1 failed after 0 good runs: setup: no network", text)
        self.assertIn("equal, then failed", text)
        self.assertIn("Third batch, 4 failed after 2 good runs: round 3: out of luck", text)

    def test_everything_is_written(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            report.write_all(folder, self.results, self.records, CONDITIONS)
            self.assertEqual(len(json.loads((folder / "results.json").read_text())["engines"]), 5)
            with open(folder / "runs.csv", newline="") as file:
                self.assertEqual([row["round"] for row in csv.DictReader(file)], ["1", "2"] * 4)
            self.assertEqual(len(parse(str(folder / "peers.svg")).getElementsByTagName("rect")), 5)
            self.assertIn("Other batch", (folder / "peers.txt").read_text())
