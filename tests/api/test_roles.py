"""Who may call what: `docs/roles.md` says it, and every operation is asked in every role."""

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from fastapi.routing import APIRoute
from httpx import AsyncClient, Response
from starlette.routing import Route

from api.app import build_app
from api.open_paths import is_open
from api.openapi.declaration import permission_in
from api.roles import ALLOWED, Permission
from api.strict_route import StrictRoute
from infra.access import ROLES
from tests.api.conftest import Studio, assert_problem

TOLD = (Path(__file__).parents[2] / "docs" / "roles.md").read_text()
APP = build_app()


def table(first_head: str) -> Iterator[dict[str, str]]:
    """The rows of one of the document's tables."""
    _, _, below = TOLD.partition(f"| {first_head} |")
    lines = f"| {first_head} |{below}".split("\n\n", 1)[0].splitlines()
    heads, _, *rows = ([cell.strip(" `") for cell in line[1:-1].split("|")] for line in lines)
    for row in rows:
        yield dict(zip(heads, row, strict=True))


PERMITTED = {row["permission"]: row for row in table("permission")}
NEEDED = {row["operation"]: row["needs"] for row in table("operation")}


def test_the_document_says_which_role_has_which_permission() -> None:
    assert set(PERMITTED) == set(Permission)
    for permission, row in PERMITTED.items():
        assert row.keys() == {"permission", "for", *ROLES}
        allowed = {role for role in ROLES if row[role] == "yes"}
        assert allowed == ALLOWED[Permission(permission)]
        assert {row[role] for role in ROLES} <= {"yes", "no"}


def test_the_document_says_what_each_operation_needs() -> None:
    declared = {
        f"{method.upper()} {path}": operation.get("x-permission", "nothing: open to all")
        for path, methods in APP.openapi()["paths"].items()
        for method, operation in methods.items()
    }
    assert declared == NEEDED


@pytest.mark.parametrize("route", APP.routes, ids=lambda route: route.path)
def test_every_route_declares_what_it_needs_or_is_open_to_all(route: Route) -> None:
    """Whatever is routed otherwise would be checked by nothing."""
    if isinstance(route, APIRoute):
        assert isinstance(route, StrictRoute)
        assert is_open(route.path) == (permission_in(route.openapi_extra) is None)
    else:  # FastAPI's own, and what asks by itself who asks
        assert route.path in {"/openapi.json", "/docs", "/socket.io/"}
        assert is_open(route.path)


async def asked(client: AsyncClient, operation: str) -> list[Response]:
    """An operation on what is not there: as it should be asked, and with everything wrong."""
    method, template = operation.split(" ")
    key = client.headers.get("Authorization", "").removeprefix("Bearer ")
    path = re.sub(r"\{\w+\}", str(uuid4()), template.replace("{key}", key))
    at_once = "?seconds=0" if path.endswith("/stream") else ""  # else it would go on
    wrong = {"Content-Type": "text/plain", "If-Match": "?", "Min-Event-Position": "?"}
    return [
        await client.request(method, path + at_once),
        await client.request(method, f"{path}?no=such", content=b"{", headers=wrong),
    ]


async def test_every_operation_answers_every_role_as_the_document_says(studio: Studio) -> None:
    for role in ROLES:
        client = studio.as_role(role)
        for operation, needs in NEEDED.items():
            may = needs not in PERMITTED or PERMITTED[needs][role] == "yes"
            for answer in await asked(client, operation):
                if may:
                    assert answer.status_code not in (401, 403), (operation, role)
                else:
                    problem = assert_problem(answer, 403, "forbidden")
                    assert f"The role {role} may not do this" in str(problem["detail"])


async def test_what_is_not_open_wants_to_know_who_asks(studio: Studio) -> None:
    for operation, needs in NEEDED.items():
        for answer in await asked(studio.with_key(None), operation):
            if needs in PERMITTED:
                assert_problem(answer, 401, "unauthenticated")
            else:
                assert answer.status_code not in (401, 403), operation
