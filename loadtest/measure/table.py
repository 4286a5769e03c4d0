"""Tables for a terminal."""


def aligned(heads, lines, right):
    """Lines of text with aligned columns; `right` has the numbers of the columns that end at the same place."""
    widths = [max(len(cell) for cell in column) for column in zip(heads, *lines)]

    def line(cells):
        padded = (
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(cells, widths))
        )
        return "  ".join(padded).rstrip()

    return [line(heads), line(["-" * width for width in widths]), *map(line, lines)]
