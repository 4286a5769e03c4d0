"""A chart of horizontal bars with their values, for a README."""

from dataclasses import dataclass

from measure import svg

WIDTH = 760
# What names and values may take left and right of the bars.
NAMES = 236
VALUES = 190
TOP = 64
STEP = 28
THICKNESS = 18
GROUP_HEAD = 34
BOTTOM = 40


@dataclass(frozen=True)
class Bar:
    """One bar: `least` and `most` are drawn as a whisker; `ours` is set off."""

    name: str
    value: float
    least: float
    most: float
    label: str
    ours: bool


def chart(title, subtitle, groups, foot):
    """`groups` are pairs of a heading and bars; all bars share one scale."""
    bars = [bar for _, group in groups for bar in group]
    scale = (WIDTH - NAMES - VALUES) / max(bar.most for bar in bars)
    parts = [
        svg.text(20, 30, title, size=16, bold=True),
        svg.text(20, 50, subtitle, size=12, style="quiet"),
    ]
    y = TOP
    for heading, group in groups:
        parts.append(svg.text(20, y + 22, heading, size=12, bold=True, style="quiet"))
        y += GROUP_HEAD
        for bar in group:
            parts += row(bar, y, scale)
            y += STEP
    for number, remark in enumerate(foot):
        parts.append(svg.text(20, y + 18 + 16 * number, remark, size=11, style="quiet"))
    return svg.picture(WIDTH, y + BOTTOM + 16 * (len(foot) - 1), title, parts)


def row(bar, y, scale):
    middle = y + THICKNESS / 2
    base = middle + 4.5
    style = "ours" if bar.ours else "other"
    parts = [
        svg.text(NAMES - 10, base, bar.name, anchor="end", bold=bar.ours),
        f'<rect class="{style}" x="{NAMES}" y="{y}" width="{max(1.0, bar.value * scale):.1f}" '
        f'height="{THICKNESS}" rx="2"/>',
    ]
    if bar.most > bar.least:
        left, right = NAMES + bar.least * scale, NAMES + bar.most * scale
        parts.append(svg.line(left, middle, right, middle, "whisker"))
        parts += [svg.line(x, middle - 4, x, middle + 4, "whisker") for x in (left, right)]
    parts.append(svg.text(NAMES + bar.most * scale + 8, base, bar.label, bold=bar.ours))
    return parts
