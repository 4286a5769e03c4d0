"""Shares of Zipf's law: the k-th of n has a part of k^-s of what the first has."""

from math import log

# Terms that are summed one by one; the rest is an integral.
SUMMED = 1000
STEPS = 60
LARGEST_EXPONENT = 10.0


def first_share(exponent, count):
    """The share of all that the first of `count` gets."""
    return 1.0 / harmonic(exponent, count)


def exponent_for(share, count):
    """The exponent at which the first of `count` gets `share` of all, by bisection: the share grows with it."""
    low, high = 0.0, LARGEST_EXPONENT
    if not first_share(low, count) <= share <= first_share(high, count):
        raise ValueError(f"no exponent from {low} to {high} gives the first of {count} a share of {share}")
    for _ in range(STEPS):
        middle = (low + high) / 2
        if first_share(middle, count) < share:
            low = middle
        else:
            high = middle
    return high


def harmonic(exponent, count):
    """The sum of k^-s for k = 1 to n; beyond `SUMMED` by the first two terms of Euler and Maclaurin's formula."""
    summed = min(count, SUMMED)
    total = sum(k**-exponent for k in range(1, summed + 1))
    if count > summed:
        total += integral(exponent, summed, count) + (count**-exponent - summed**-exponent) / 2
    return total


def integral(exponent, low, high):
    if abs(exponent - 1) < 1e-9:
        # The limit of the formula below, which would divide by almost nothing.
        return log(high / low)
    return (high ** (1 - exponent) - low ** (1 - exponent)) / (1 - exponent)
