"""What comes out: tables, JSON and CSV, and line charts."""

from measure import lines, svg
from measure.results import write_csv, write_json
from measure.spread import Spread
from measure.table import aligned

HEADS = ["", "wall s", "events/s", "CPU s", "peak MiB", "rows"]
RIGHT = {2}


def summary(dimension, point, costs, events, difference):
    """One point's figures over its rounds; `difference` is the first that is not `equal`, or `equal`."""
    wall = Spread.of(cost.wall_seconds for cost in costs)
    return {
        "dimension": dimension,
        "point": point.name,
        "remark": point.remark,
        "workers": point.workers,
        **point.flags,
        "wall_seconds": vars(wall),
        "events_per_second": vars(Spread(events / wall.median, events / wall.most, events / wall.least)),
        "cpu_seconds": vars(Spread.of(cost.cpu_seconds for cost in costs)),
        "peak_rss_mib": vars(Spread.of(cost.peak_rss_mib for cost in costs)),
        "others_share": vars(Spread.of(cost.others_share for cost in costs)),
        "rows": difference,
    }


def table(results):
    """The lines of one dimension's table."""
    head = [results[0]["dimension"], *HEADS[1:]]
    text = aligned(head, [cells(result) for result in results], RIGHT)
    return [*text, *(f"  {result['point']}: {result['remark']}" for result in results if result["remark"]), ""]


def cells(result):
    def spread(name, digits):
        return Spread(**result[name]).text(digits)

    rate = svg.short(result["events_per_second"]["median"])
    figures = [spread("wall_seconds", 2), rate, spread("cpu_seconds", 2), spread("peak_rss_mib", 0)]
    return [result["point"], *figures, result["rows"]]


def write_all(folder, results, runs, conditions):
    """results.json, runs.csv, scaling.txt and scaling.svg in `folder`."""
    write_json(folder / "results.json", {"conditions": conditions, "points": results, "runs": runs})
    write_csv(folder / "runs.csv", runs)
    text = "\n".join(line for own in by_dimension(results) for line in table(own))
    (folder / "scaling.txt").write_text(text, encoding="utf-8")
    (folder / "scaling.svg").write_text(chart(results, conditions), encoding="utf-8")


def by_dimension(results):
    names = dict.fromkeys(result["dimension"] for result in results)
    return [[result for result in results if result["dimension"] == name] for name in names]


def chart(results, conditions):
    """A row for each dimension; throughput, processor time and memory are the columns."""
    columns = [("events/s", "events_per_second"), ("CPU seconds", "cpu_seconds"), ("peak MiB", "peak_rss_mib")]
    rows = [
        [
            lines.Curve(
                f"{own[0]['dimension']}: {heading}", [(result["point"], Spread(**result[figure])) for result in own]
            )
            for heading, figure in columns
        ]
        for own in by_dimension(results)
    ]
    machine = conditions["machine"]
    subtitle = (
        f"`dataflow replay` of {svg.short(conditions['events'])} events from files; medians of {conditions['rounds']} "
        f"alternating runs, least to most; {machine['cores']} cores"
    )
    return lines.chart("How Footfall scales", subtitle, rows)
