import unittest

from measure.spread import Spread, paired_ratio


class SpreadTest(unittest.TestCase):
    def test_a_spread_is_median_least_and_most(self):
        self.assertEqual(Spread.of(iter([5, 1, 2])), Spread(2, 1, 5))
        self.assertEqual(Spread.of([1, 4]), Spread(2.5, 1, 4))
        self.assertEqual(Spread.of([5, 1, 2]).text(), "2.0 (1.0 to 5.0)")
        self.assertEqual(Spread.of([3]).text(2), "3.00")

    def test_ratios_are_taken_within_a_round(self):
        # The machine is twice as slow in round 2, for both: the ratio of medians would not say 3.
        self.assertEqual(paired_ratio({1: 3.0, 2: 6.0}, {1: 1.0, 2: 2.0, 3: 9.0}), Spread(3.0, 3.0, 3.0))
        self.assertIsNone(paired_ratio({1: 3.0}, {2: 1.0}))
