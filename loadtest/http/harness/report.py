"""From the turns to a table and files."""

from statistics import median

from harness.engines import REFERENCE
from measure import results
from measure.spread import Spread, paired_ratio
from measure.table import aligned

HEADS = ["", "requests/s", "of Footfall's", "p50 ms", "p99 ms", "CPU us", "of core", "others", "not 2xx", "broken"]
RIGHT = range(1, len(HEADS))


def summaries(records, engines, cases):
    """A summary of each case and engine, in this order."""
    return [summary(records, engine, case) for case in cases for engine in engines if engine.has(case)]


def summary(records, engine, case):
    def by_round(name):
        return {
            record.turn: record.load.per_second
            for record in records if record.case == case.name and record.engine == name
        }

    loads = [record.load for record in records if record.case == case.name and record.engine == engine.name]
    return {
        "case": case.name,
        "title": case.title,
        "engine": engine.name,
        "label": engine.label,
        "per_second": Spread.of(load.per_second for load in loads),
        "of_footfall": paired_ratio(by_round(engine.name), by_round(REFERENCE)),
        "p50_ms": median(load.p50_ms for load in loads),
        "p99_ms": median(load.p99_ms for load in loads),
        "refused": sum(load.refused for load in loads),
        "broken": sum(load.broken for load in loads),
        "cpu_us": median(load.cpu_us for load in loads),
        "server_share": median(load.server_share for load in loads),
        "others_share": median(load.others_share for load in loads),
    }


def table(rows):
    """Lines for a terminal, with a table for each case."""
    lines = []
    for title in dict.fromkeys(row["title"] for row in rows):
        cells = [cells_of(row) for row in rows if row["title"] == title]
        lines += ["", title, *aligned(HEADS, cells, RIGHT)]
    return lines[1:]


def cells_of(row):
    ratio = row["of_footfall"]
    return [
        row["label"], row["per_second"].text(0), "" if ratio is None else f"{ratio.median:.2f}",
        f"{row['p50_ms']:.2f}", f"{row['p99_ms']:.2f}", f"{row['cpu_us']:.0f}", f"{row['server_share']:.0%}",
        f"{row['others_share']:.0%}", str(row["refused"]), str(row["broken"]),
    ]


def faults(rows):
    """What makes the figures void, a sentence for each engine and case."""
    return [
        f"{row['label']}, {row['title']}: {row['refused']} answers were not 2xx, {row['broken']} requests had none"
        for row in rows if row["refused"] or row["broken"]
    ]


def write_all(folder, rows, records, conditions):
    plain = [{key: vars(value) if isinstance(value, Spread) else value for key, value in row.items()} for row in rows]
    results.write_json(folder / "results.json", {"conditions": conditions, "summaries": plain})
    results.write_csv(folder / "runs.csv", [record.fields() for record in records])
    (folder / "http.txt").write_text("\n".join(table(rows)) + "\n", encoding="utf-8")
