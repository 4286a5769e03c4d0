"""What all charts share: colours for light and dark surroundings, text, and round axis marks."""

from xml.sax.saxutils import escape

FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
# A page may be dark where the system is not: the chart brings its own ground.
STYLE = f"""<style>
  text {{ font-family: {FONT}; fill: #1f2328; }}
  .ground {{ fill: #ffffff; stroke: #d1d9e0; }}
  .quiet {{ fill: #59636e; }}
  .grid {{ stroke: #d1d9e0; }}
  .whisker {{ stroke: #1f2328; }}
  .ours {{ fill: #0969da; stroke: #0969da; }}
  .other {{ fill: #8c959f; stroke: #8c959f; }}
  @media (prefers-color-scheme: dark) {{
    text {{ fill: #f0f6fc; }}
    .ground {{ fill: #0d1117; stroke: #3d444d; }}
    .quiet {{ fill: #9198a1; }}
    .grid {{ stroke: #3d444d; }}
    .whisker {{ stroke: #f0f6fc; }}
    .ours {{ fill: #4493f8; stroke: #4493f8; }}
    .other {{ fill: #656c76; stroke: #656c76; }}
  }}
</style>"""


def picture(width, height, title, parts):
    """A whole picture; its title is read aloud to those who do not see it."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img">\n<title>{escape(title)}</title>\n{STYLE}\n'
        f'<rect class="ground" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>\n'
    )
    return head + "\n".join(parts) + "\n</svg>\n"


def text(x, y, content, size=13, anchor="start", style=None, bold=False):
    marks = f' class="{style}"' if style else ""
    marks += ' font-weight="600"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"{marks}>{escape(content)}</text>'


def line(x1, y1, x2, y2, style, width=1.0):
    return f'<path class="{style}" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke-width="{width}" fill="none"/>'


def marks(most, count):
    """Round numbers from 0 to at least `most`, about `count` of them."""
    step = round_up(most / count) if most > 0 else 1.0
    numbers = [0.0]
    while numbers[-1] < most:
        numbers.append(len(numbers) * step)
    return numbers


def round_up(number):
    """The next of 1, 2, 5, 10, 20, 50 and so on, fractions too."""
    unit = 10.0 ** -9
    while True:
        for factor in (1, 2, 5):
            # The smallest deviation of a product of decimal fractions must not cost a step.
            if factor * unit >= number * (1 - 1e-9):
                return factor * unit
        unit *= 10


def short(number):
    """`2.2 M`, `640 k`, `12`: three digits at most."""
    for unit, name in ((1e6, " M"), (1e3, " k")):
        if number >= unit * 0.9995:
            scaled = number / unit
            return (f"{scaled:.0f}" if scaled >= 99.95 else f"{scaled:.3g}") + name
    return f"{number:.3g}"
