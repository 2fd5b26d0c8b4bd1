"""Draws exported utilisation as a calendar: `python draw_utilisation.py utilisation.csv > it.svg`.

A square for each day, the darker the more hours of all resources together were confirmed in it; an
empty one if none were. On a white ground of its own, so that it can be read on a dark page, too.
With Python's standard library alone.
"""

import csv
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path

SHADES = ("#d6e6f2", "#a9cce6", "#74abd6", "#3c82b8", "#0f4f82")
SIDE, GAP, LEFT, TOP = 18, 3, 44, 58
STEP, LEGEND = SIDE + GAP, 52
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
    'height="{height}" font-family="system-ui, sans-serif" font-size="11" fill="#222" role="img">'
)


def hours_of(file: Path) -> dict[date, float]:
    """Adds the confirmed hours of all resources up, day by day."""
    hours: dict[date, float] = defaultdict(float)
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            hours[date.fromisoformat(row["day"])] += float(row["confirmed_hours"])
    return hours


def drawn(hours: Mapping[date, float]) -> Iterator[str]:
    """Gives the lines of the picture."""
    first, last = min(hours), max(hours)
    monday = first - timedelta(days=first.weekday())
    most = max(hours.values())
    width = max(460, LEFT + STEP * ((last - monday).days // 7 + 1) + 14)
    height = TOP + 7 * STEP + 58
    yield HEAD.format(width=width, height=height)
    yield f'<rect width="{width}" height="{height}" rx="6" fill="#fff"/>'
    title = f"Confirmed hours of all resources, {first} to {last}"
    yield f'<title>{title}</title><text x="14" y="24" font-size="14">{title}</text>'
    for weekday, name in enumerate(WEEKDAYS):
        yield f'<text x="14" y="{TOP + STEP * weekday + 13}">{name}</text>'
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        x, y = LEFT + STEP * ((day - monday).days // 7), TOP + STEP * day.weekday()
        if day.day == 1:
            yield f'<text x="{x}" y="{TOP - 8}">{day:%b}</text>'
        told = hours.get(day, 0.0)
        yield f"{_square(x, y, SIDE, told, most)}<title>{day}: {told:,.0f} hours</title></rect>"
    yield from _legend(height - 44, most)
    yield "</svg>"


def _square(x: int, y: int, width: int, told: float, most: float) -> str:
    shade = SHADES[min(int(told / (most or 1) * len(SHADES)), len(SHADES) - 1)]
    paint = f'fill="{shade}"' if told else 'fill="none" stroke="#b8c4ce"'
    return f'<rect x="{x}" y="{y}" width="{width}" height="{SIDE}" rx="3" {paint}>'


def _legend(y: int, most: float) -> Iterator[str]:
    """Gives the shades, with the hours of a day at which each begins and the last one ends."""
    step = most / len(SHADES)
    yield f"{_square(LEFT, y, SIDE, 0, most)}</rect>"
    yield f'<text x="{LEFT + SIDE // 2}" y="{y + 34}" text-anchor="middle">none</text>'
    left = LEFT + 2 * STEP
    for number in range(len(SHADES) + 1):
        x = left + LEGEND * number
        if number < len(SHADES):
            yield f"{_square(x, y, LEGEND - GAP, step * (number + 0.5), most)}</rect>"
        hours = f"{step * number:,.0f}"
        yield f'<text x="{x}" y="{y + 34}" text-anchor="middle">{hours}</text>'
    yield f'<text x="{left + LEGEND * len(SHADES) + 24}" y="{y + 34}">hours a day</text>'


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004 - itself and the file
        sys.exit(f"usage: {Path(sys.argv[0]).name} utilisation.csv > utilisation.svg")
    found = hours_of(Path(sys.argv[1]))
    if not found:
        sys.exit("There is no day in that file. Export some: booking export utilisation …")
    sys.stdout.write("\n".join(drawn(found)) + "\n")
