import tempfile
import unittest
from pathlib import Path

from harness.cases import CASES
from harness.engines import ENGINES
from harness.rounds import LostEvents, Rounds
from harness.stage import Stage
from harness.wrk import Load

PRODUCT, EVENT, EVENTS = CASES
LOAD = Load(100.0, 1000, 1.0, 9.0, 10, 0, 50.0, 0.9, 0.01)


class Silent:
    def now(self, _text):
        pass


class WithoutServers(Rounds):
    """Rounds of servers that are not there, and of a topic that holds `written` events."""

    def __init__(self, written=0):
        with tempfile.TemporaryDirectory() as logs:
            super().__init__(ENGINES, CASES, Stage(Path(), Path(logs), "", {}), None, Silent())
        self.written = written

    def turn(self, _case, _engine):
        return LOAD

    def count_events(self, _case):
        return self.written


class RoundsTest(unittest.TestCase):
    def test_each_engine_has_one_turn_with_each_case_that_it_serves(self):
        rounds = WithoutServers()
        rounds.run(1)
        turns = [(record.case, record.engine) for record in rounds.records]
        self.assertEqual(len(turns), len(set(turns)))
        self.assertEqual(set(turns), {(case.name, one.name) for case in CASES for one in ENGINES if one.has(case)})
        self.assertNotIn(("product", "aiokafka"), turns)

    def test_another_engine_is_the_first_in_the_next_round(self):
        rounds = WithoutServers()
        rounds.run(1)
        first = rounds.records[0].engine
        rounds.records.clear()
        rounds.run(2)
        self.assertNotEqual(rounds.records[0].engine, first)

    def test_events_that_were_answered_for_must_be_in_the_topic(self):
        # 990 answers were 202, with 100 events each.
        WithoutServers(written=500 + 99_000).check_events(EVENTS, ENGINES[0], LOAD, before=500)
        with self.assertRaisesRegex(LostEvents, "answered for 99000 events, and 98999 are in"):
            WithoutServers(written=500 + 98_999).check_events(EVENTS, ENGINES[0], LOAD, before=500)
