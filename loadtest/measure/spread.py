"""Figures of several runs: medians with least and most, and ratios that are paired by round."""

from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Spread:
    """The median of several figures, and how far they lie apart."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, figures):
        figures = list(figures)
        return cls(median(figures), min(figures), max(figures))

    def text(self, digits=1):
        """`4.5 (4.2 to 5.1)`; one figure stands alone."""
        if self.least == self.most:
            return f"{self.median:.{digits}f}"
        return f"{self.median:.{digits}f} ({self.least:.{digits}f} to {self.most:.{digits}f})"


def paired_ratio(figures, references):
    """The spread of figure / reference over the rounds that both have, `None` where they share none.

    Both are figures by round. Neighbours in time share the machine's mood, so that the ratio within a round says more
    than the ratio of two medians.
    """
    ratios = [figure / references[turn] for turn, figure in figures.items() if turn in references]
    return Spread.of(ratios) if ratios else None
