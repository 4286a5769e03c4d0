"""Rows of counts: reads what engines write, and compares it with the answer key."""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime


class BadRow(Exception):
    """A line that is no row; the text names file and line."""


@dataclass(frozen=True)
class Difference:
    """By what rows differ from the answer key."""

    missing: int
    extra: int
    different: int
    sum_of_differences: int

    def __str__(self):
        if self == Difference(0, 0, 0, 0):
            return "equal"
        return (
            f"differs: missing rows {self.missing}, extra rows {self.extra}, different counts {self.different}, "
            f"sum of |difference| {self.sum_of_differences}"
        )

    @property
    def is_equal(self):
        return self == Difference(0, 0, 0, 0)


class Windows(dict):
    """The milliseconds of window starts by their text, each parsed once: there are few."""

    def __missing__(self, text):
        self[text] = millis = int(datetime.fromisoformat(text).timestamp() * 1000)
        return millis


def read_rows(files):
    """The rows of files as {(product, window start in milliseconds): count}, and how many came more than once.

    A line is `product<TAB>milliseconds<TAB>count`, or a row of JSON as Footfall writes it.
    """
    rows, repeated, windows = {}, Counter(), Windows()
    for file in files:
        with open(file, encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    key, count = parse(line, windows)
                except (ValueError, KeyError, TypeError) as error:
                    raise BadRow(f"{file}:{number}: not a row of counts: {line.strip()[:200]!r} ({error})") from error
                if key in rows:
                    repeated[key] += 1
                rows[key] = count
    return rows, repeated.total()


def parse(line, windows):
    if line.startswith("{"):
        row = json.loads(line)
        return (row["product_id"], windows[row["window_start"]]), row["unique_user_count"]
    product, millis, count = line.split("\t")
    return (product, int(millis)), int(count)


def row_files(folder):
    """The files that an engine has written; names that begin with `.` are its own affair."""
    paths = sorted(folder.rglob("*"))
    return [path for path in paths if path.is_file() and not hidden(path.relative_to(folder))]


def hidden(path):
    return any(part.startswith(".") for part in path.parts)


def compare(rows, repeated, answers):
    """By what `rows` differ from `answers`; a row that came again is an extra row."""
    extra = rows.keys() - answers.keys()
    missing = answers.keys() - rows.keys()
    distances = [abs(rows[key] - count) for key, count in answers.items() if key in rows and rows[key] != count]
    # A row that is not there stands for a count of zero.
    whole = sum(distances) + sum(rows[key] for key in extra) + sum(answers[key] for key in missing)
    return Difference(len(missing), len(extra) + repeated, len(distances), whole)
