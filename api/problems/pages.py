"""The pages at `/problems/…`: what a problem means and what to do about it."""

from html import escape

from pydantic_core import to_json

from api.problems.catalogue import CATALOGUE, ProblemKind
from api.schemas.examples import REQUEST_ID

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ max-width: 46rem; margin: 3rem auto; padding: 0 1rem; font: 1rem/1.5 sans-serif; }}
pre {{ padding: 1rem; overflow-x: auto; background: #8881; }}
td, th {{ padding: .2rem 1rem .2rem 0; text-align: left; vertical-align: top; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def index_page() -> str:
    """Gives the list of all kinds."""
    rows = "\n".join(
        f'<tr><td>{kind.status.value}</td><td><a href="{kind.type}">{kind.name}</a></td>'
        f"<td>{escape(kind.title)}</td></tr>"
        for kind in CATALOGUE.values()
    )
    return _PAGE.format(
        title="Problems",
        body="<h1>Problems</h1>\n"
        "<p>Every error is answered as <code>application/problem+json</code> (RFC 9457); "
        "its <code>type</code> is one of these.</p>\n"
        f"<table>\n<tr><th>Status</th><th>Name</th><th>What happened</th></tr>\n{rows}\n</table>",
    )


def kind_page(kind: ProblemKind) -> str:
    """Gives the page of one kind.

    Args:
        kind: which.
    """
    members = "".join(
        f"<dt><code>{escape(name)}</code></dt><dd>{_with_code(text)}</dd>\n"
        for name, text in kind.fields.items()
    )
    fields = f"<h2>More members</h2>\n<dl>\n{members}</dl>\n" if members else ""
    return _PAGE.format(
        title=f"{kind.status.value} {kind.name}",
        body=f"<h1>{escape(kind.title)}</h1>\n"
        f"<p>Status {kind.status.value} · <code>{kind.type}</code></p>\n"
        f"<h2>What it means</h2>\n<p>{_with_code(kind.meaning)}</p>\n"
        f"<h2>What to do</h2>\n<p>{_with_code(kind.remedy)}</p>\n"
        f"{fields}"
        f"<h2>Example</h2>\n<pre>{escape(to_json(example(kind), indent=2).decode())}</pre>\n"
        '<p><a href="/problems">All problems</a></p>',
    )


def example(kind: ProblemKind) -> dict[str, object]:
    """Gives an occurrence of a kind, as it could be answered.

    Args:
        kind: which.
    """
    return {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status.value,
        "detail": kind.detail,
        "instance": "/v1/bookings",
        "request_id": REQUEST_ID,
        **kind.example,
    }


def _with_code(text: str) -> str:
    """Escapes a text and sets what stands between backquotes as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))
