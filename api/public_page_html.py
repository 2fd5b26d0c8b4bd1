"""A public page as browsers show it: which hours of which days are free, and nothing else."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from html import escape

from api.public_pages import DAYS_AHEAD, DAYS_BACK, PublicPage, midnight
from projections.reservation.availability import FreePeriod

STYLE = """
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 sans-serif; }
table { width: 100%; border-collapse: collapse; }
caption { padding: .5rem 0; text-align: left; }
th, td { padding: .3rem 1rem .3rem 0; text-align: left; vertical-align: top; }
tr { border-bottom: 1px solid #8886; }
td + td, th + td { width: 65%; }
nav a { margin-right: 1.5rem; }
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{name}: when it is free</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{name}</h1>
<table>
<caption>When it is free. Times are local ({zone}).</caption>
<thead>
<tr><th scope="col">Day</th><th scope="col">Free</th></tr>
</thead>
<tbody>
{rows}
</tbody>
</table>
</main>
{nav}</body>
</html>
"""


def page_html(page: PublicPage) -> str:
    """Write the page.

    Args:
        page: what it shows.
    """
    return _PAGE.format(
        name=escape(page.name),
        style=STYLE,
        zone=escape(page.zone.key),
        rows="\n".join(_rows(page)),
        nav=_nav(page),
    )


def _rows(page: PublicPage) -> Iterator[str]:
    day = page.first
    while day < page.end:
        start, end = midnight(day, page.zone), midnight(day + timedelta(days=1), page.zone)
        free = [
            (max(one_start, start), min(one_end, end))
            for one_start, one_end in page.free
            if one_start < end and one_end > start
        ]
        yield (
            f'<tr><th scope="row"><time datetime="{day}">{_told(day)}</time></th>'
            f"<td>{_told_free(free, (start, end), page)}</td></tr>"
        )
        day += timedelta(days=1)


def _told(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b} {day.year}"


def _told_free(free: Sequence[FreePeriod], whole: FreePeriod, page: PublicPage) -> str:
    if not free:
        return "taken"
    if list(free) == [whole]:
        return "all day"
    return ", ".join(
        f"{_time(start, page)} – {_time(end, page, closing=end == whole[1])}"  # noqa: RUF001
        for start, end in free
    )


def _time(moment: datetime, page: PublicPage, *, closing: bool = False) -> str:
    local = moment.astimezone(page.zone)
    exact = "auto" if local.second or local.microsecond else "minutes"
    clock = "24:00" if closing else local.time().isoformat(exact)
    return f'<time datetime="{local.isoformat()}">{clock}</time>'


def _nav(page: PublicPage) -> str:
    """Lead to the days before and after, as far as they are shown."""
    length = page.end - page.first
    links = [
        (page.first - length, page.first, "prev", "Earlier days"),
        (page.end, page.end + length, "next", "Later days"),
    ]
    earliest = page.today - timedelta(days=DAYS_BACK)
    latest = page.today + timedelta(days=DAYS_AHEAD)
    shown = "\n".join(
        f'<a rel="{rel}" href="?from={first}&amp;to={end}">{text}</a>'
        for first, end, rel, text in links
        if earliest <= first and end <= latest
    )
    return f'<nav aria-label="Other days">\n{shown}\n</nav>\n' if shown else ""
