"""What comes out: a table for people, JSON and CSV for programs, a chart for a README."""

from measure import bars, svg
from measure.results import write_csv, write_json
from measure.spread import Spread, paired_ratio
from measure.table import aligned
from peers.runner.peer import REFERENCE

HEADS = ["engine", "par.", "wall s", "events/s", "CPU s", "peak MiB", "time / Footfall's", "rows"]
RIGHT = {1, 3}


def summaries(records, events):
    """A summary for each engine, in the order of the records."""
    return [summary(record, records, events) for record in records]


def summary(record, records, events):
    engine = record.engine
    result = {
        "engine": engine.key,
        "name": engine.name,
        "variant": engine.variant,
        "parallelism": engine.parallelism,
        "source": engine.source,
        "runs": len(record.runs),
        "failure": record.failure,
    }
    if not record.runs:
        return result
    wall = Spread.of(run.cost.wall_seconds for run in record.runs)
    return result | {
        "wall_seconds": vars(wall),
        "events_per_second": vars(Spread(events / wall.median, events / wall.most, events / wall.least)),
        "cpu_seconds": vars(Spread.of(run.cost.cpu_seconds for run in record.runs)),
        "peak_rss_mib": vars(Spread.of(run.cost.peak_rss_mib for run in record.runs)),
        "others_share": vars(Spread.of(run.cost.others_share for run in record.runs)),
        "time_to_footfall": ratio_to_reference(record, records),
        "rows": rows_text(record),
        "reason": None if rows_are_equal(record) else engine.differs,
    }


def ratio_to_reference(record, records):
    """How much time the engine takes for each second of Footfall's on the same input, paired by round."""
    reference = reference_of(record.engine, records)
    if reference is None:
        return None
    ratio = paired_ratio(wall_by_turn(record), wall_by_turn(reference))
    return vars(ratio) | {"of": reference.engine.key} if ratio else None


def reference_of(engine, records):
    """Footfall on the same source, with the same parallelism if it was run with that."""
    candidates = [
        record for record in records
        if record.engine.is_reference and record.engine.source == engine.source and record.runs
    ]
    same = [record for record in candidates if record.engine.parallelism == engine.parallelism]
    return next(iter(same + candidates), None)


def wall_by_turn(record):
    return {run.turn: run.cost.wall_seconds for run in record.runs}


def rows_are_equal(record):
    return all(run.difference is None or run.difference.is_equal for run in record.runs)


def rows_text(record):
    """What the comparison of every run gave; different results are all told."""
    texts = dict.fromkeys("no rows" if run.difference is None else str(run.difference) for run in record.runs)
    return "; ".join(texts)


def table(results):
    """The lines of the table, then the reasons of differences and failures."""
    lines = []
    for source in dict.fromkeys(result["source"] for result in results):
        own = [result for result in results if result["source"] == source]
        lines += [f"from {source}", *aligned(HEADS, [cells(result) for result in own], RIGHT), ""]
    for result in results:
        if result.get("reason"):
            lines += [f"{title(result)}: {result['rows']}", f"  because: {result['reason']}", ""]
    # A setup that fails fails for all variants: told once.
    failures = {}
    for result in results:
        if result["failure"]:
            failures.setdefault(result["failure"], []).append(result)
    for failure, failed in failures.items():
        who = "; ".join(f"{title(result)} failed after {result['runs']} good runs" for result in failed)
        lines += [f"{who}: {failure}", ""]
    return lines


def title(result):
    return f"{result['name']} {result['variant']}, {result['parallelism']}"


def cells(result):
    engine = [f"{result['name']} {result['variant']}", str(result["parallelism"])]
    if not result["runs"]:
        return [*engine, "-", "-", "-", "-", "-", "failed, see below"]
    ratio = result["time_to_footfall"]
    return [
        *engine,
        spread(result["wall_seconds"], 2),
        svg.short(result["events_per_second"]["median"]),
        spread(result["cpu_seconds"], 1),
        spread(result["peak_rss_mib"], 0),
        spread({name: ratio[name] for name in ("median", "least", "most")}, 2) if ratio else "-",
        ("differ, see below" if result["reason"] else result["rows"]) + (", then failed" if result["failure"] else ""),
    ]


def spread(figures, digits):
    return Spread(**figures).text(digits)


def write_all(folder, results, records, conditions):
    """results.json, runs.csv, peers.txt and peers.svg in `folder`."""
    runs = [run_record(record.engine, run) for record in records for run in record.runs]
    write_json(folder / "results.json", {"conditions": conditions, "engines": results, "runs": runs})
    if runs:
        write_csv(folder / "runs.csv", runs)
        (folder / "peers.svg").write_text(chart(results, conditions), encoding="utf-8")
    (folder / "peers.txt").write_text("\n".join(table(results)) + "\n", encoding="utf-8")


def run_record(engine, run):
    return {
        "engine": engine.key,
        "source": engine.source,
        "round": run.turn,
        **{name: round(figure, 4) for name, figure in vars(run.cost).items()},
        "rows": "no rows" if run.difference is None else str(run.difference),
    }


def chart(results, conditions):
    """Events per second, the fastest first."""
    measured = [result for result in results if result["runs"]]
    groups = []
    for source in dict.fromkeys(result["source"] for result in measured):
        own = [bar(result) for result in measured if result["source"] == source]
        groups.append((f"from {source}", sorted(own, key=lambda bar: -bar.value)))
    machine = conditions["machine"]
    foot = [
        f"Whole processes, start included; medians of {conditions['rounds']} alternating runs, whiskers from least to "
        "most; the number is the parallelism.",
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB.",
    ]
    differing = [title(result) for result in measured if result["reason"]]
    if differing:
        foot.append(f"* rows differ from the answer key: {len(differing)} of {len(measured)} engines, see the table.")
    subtitle = f"{svg.short(conditions['events'])} events, exact unique users of each product and minute"
    return bars.chart("Events per second", subtitle, groups, foot)


def bar(result):
    rate = result["events_per_second"]
    mark = " *" if result["reason"] else ""
    ours = result["engine"].split("/")[0] == REFERENCE
    label = f"{svg.short(rate['median'])}/s, {result['peak_rss_mib']['median']:.0f} MiB{mark}"
    return bars.Bar(title(result), rate["median"], rate["least"], rate["most"], label, ours)
