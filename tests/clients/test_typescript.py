"""The TypeScript client by itself: its types are the API's, and it does what it says."""

import re
from pathlib import Path

from scripts.client_types import CLIENT, TYPES, client_types
from tests.clients.node import run_node_tests

_COMMENT_OR_BLANK = re.compile(r"\s*(//|/?\*|$)")
MOST_LINES = 300


def own_code() -> list[Path]:
    return [path for path in (CLIENT / "src").glob("*.ts") if path != TYPES]


def test_its_types_are_those_of_the_api() -> None:
    assert TYPES.read_text(encoding="utf-8") == client_types(), (
        "The API has changed: python -m scripts.client_types"
    )


def test_its_lock_names_no_registry() -> None:
    assert '"resolved"' not in (CLIENT / "package-lock.json").read_text(encoding="utf-8")


def test_it_is_small() -> None:
    lines = [line for path in own_code() for line in path.read_text(encoding="utf-8").splitlines()]
    assert 0 < sum(not _COMMENT_OR_BLANK.match(line) for line in lines) < MOST_LINES


async def test_what_it_promises() -> None:
    files = sorted((CLIENT / "test").glob("*.test.ts"))
    await run_node_tests(*(str(path.relative_to(CLIENT)) for path in files))
