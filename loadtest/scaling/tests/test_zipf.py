import unittest

from scaling.zipf import exponent_for, first_share, harmonic


class ZipfTest(unittest.TestCase):
    def test_sums_are_right(self):
        for exponent in (0.0, 0.5, 1.0, 1.1, 2.5):
            with self.subTest(exponent=exponent):
                exact = sum(k**-exponent for k in range(1, 50_001))
                self.assertAlmostEqual(harmonic(exponent, 50_000) / exact, 1, places=6)

    def test_an_exponent_gives_the_share_that_it_was_chosen_for(self):
        for share, count in ((0.5, 10_000), (0.1, 1_000_000)):
            with self.subTest(share=share):
                self.assertAlmostEqual(first_share(exponent_for(share, count), count), share, places=9)

    def test_a_share_that_cannot_be_is_refused(self):
        with self.assertRaisesRegex(ValueError, "the first of 10 a share of 0.05"):
            exponent_for(0.05, 10)
