"""Line charts as small multiples: one for each dimension that was varied, with the same figures in each column."""

from dataclasses import dataclass

from measure import svg

WIDTH = 300
HEIGHT = 170
LEFT = 54
RIGHT = 20
TOP = 34
BOTTOM = 40
HEAD = 66
TICKS = 4


@dataclass(frozen=True)
class Curve:
    """Names of points from left to right, with the spread of the figure at each."""

    heading: str
    points: list


def chart(title, subtitle, rows):
    """`rows` of charts, each a list of `Curve`s; charts of a column share their scale."""
    columns = max(len(row) for row in rows)
    peaks = [max(most(row[column]) for row in rows if column < len(row)) for column in range(columns)]
    scales = [svg.marks(peak, TICKS) for peak in peaks]
    parts = [
        svg.text(20, 30, title, size=16, bold=True),
        svg.text(20, 50, subtitle, size=12, style="quiet"),
    ]
    for down, row in enumerate(rows):
        for across, curve in enumerate(row):
            parts += multiple(curve, scales[across], 10 + across * WIDTH, HEAD + down * HEIGHT)
    return svg.picture(columns * WIDTH + 20, HEAD + len(rows) * HEIGHT + 10, title, parts)


def most(curve):
    return max(spread.most for _, spread in curve.points)


def multiple(curve, scale, left, top):
    x0, x1 = left + LEFT, left + WIDTH - RIGHT
    y0, y1 = top + HEIGHT - BOTTOM, top + TOP

    def y(figure):
        return y0 - figure / scale[-1] * (y0 - y1)

    parts = [svg.text(x0, top + 22, curve.heading, size=12, bold=True)]
    for mark in scale:
        parts.append(svg.line(x0, y(mark), x1, y(mark), "grid"))
        parts.append(svg.text(x0 - 6, y(mark) + 4, svg.short(mark), size=11, anchor="end", style="quiet"))
    step = (x1 - x0) / len(curve.points)
    middles = [x0 + step * (number + 0.5) for number in range(len(curve.points))]
    path = " ".join(f"{x:.1f},{y(spread.median):.1f}" for x, (_, spread) in zip(middles, curve.points))
    parts.append(f'<polyline class="ours" points="{path}" style="fill: none" stroke-width="2"/>')
    for x, (name, spread) in zip(middles, curve.points):
        parts.append(svg.line(x, y(spread.least), x, y(spread.most), "whisker"))
        parts.append(f'<circle class="ours" cx="{x:.1f}" cy="{y(spread.median):.1f}" r="3.5"/>')
        parts.append(svg.text(x, y0 + 17, name, size=11, anchor="middle", style="quiet"))
    return parts
