"""Draws exported utilisation as a calendar: `python draw_utilisation.py utilisation.csv > it.svg`.

A square for each day, the darker the more hours of all resources together were confirmed in it.
With Python's standard library alone.
"""

import csv
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path

SHADES = ("#edf3f8", "#c0d9ec", "#86b6d9", "#4389bd", "#12578c")
SIDE, GAP, LEFT, TOP = 18, 3, 44, 58
STEP = SIDE + GAP
WEEKDAYS = ("Mon", "", "Wed", "", "Fri", "", "Sun")
HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
    'height="{height}" font-family="system-ui, sans-serif" font-size="11" fill="#333" role="img">'
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
    height = TOP + 7 * STEP + 40
    yield HEAD.format(width=width, height=height)
    yield f'<rect width="{width}" height="{height}" fill="#fff"/>'
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
        square = (
            f'x="{x}" y="{y}" width="{SIDE}" height="{SIDE}" rx="3" fill="{_shade(told, most)}"'
        )
        yield f"<rect {square}><title>{day}: {told:,.0f} hours</title></rect>"
    yield from _legend(height - 26, most)
    yield "</svg>"


def _shade(told: float, most: float) -> str:
    return SHADES[min(int(told / (most or 1) * len(SHADES)), len(SHADES) - 1)]


def _legend(y: int, most: float) -> Iterator[str]:
    yield f'<text x="{LEFT}" y="{y + 13}">0</text>'
    for number, shade in enumerate(SHADES):
        x = LEFT + 14 + STEP * number
        yield f'<rect x="{x}" y="{y}" width="{SIDE}" height="{SIDE}" rx="3" fill="{shade}"/>'
    after = LEFT + 18 + STEP * len(SHADES)
    yield f'<text x="{after}" y="{y + 13}">{most:,.0f} hours a day</text>'


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004 - itself and the file
        sys.exit(f"usage: {Path(sys.argv[0]).name} utilisation.csv > utilisation.svg")
    found = hours_of(Path(sys.argv[1]))
    if not found:
        sys.exit("There is no day in that file. Export some: booking export utilisation …")
    sys.stdout.write("\n".join(drawn(found)) + "\n")
