"""The pages that the `type` of a problem points to."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import HTMLResponse, Response

from api.openapi.declaration import Answer, operation
from api.problems import catalogue
from api.problems.catalogue import CATALOGUE
from api.problems.pages import index_page, kind_page
from api.problems.problem import Problem, ProblemError
from api.strict_route import StrictRoute

_EXAMPLE = '<!doctype html>\n<html lang="en">…</html>'

router = APIRouter(route_class=StrictRoute)


@router.get(
    "/problems",
    **operation(
        "listProblems",
        tag="problems",
        summary="List the kinds of problems",
        description="Every kind of problem that the service answers, with its status.",
        permission=None,
        answer=Answer(description="A page.", media_type="text/html", example=_EXAMPLE),
    ),
)
async def list_all() -> Response:
    """Lists."""
    return HTMLResponse(index_page())


@router.get(
    "/problems/{name}",
    **operation(
        "readProblem",
        tag="problems",
        summary="Read about a kind of problem",
        description="What it means, what to do about it, and an example.",
        permission=None,
        answer=Answer(description="A page.", media_type="text/html", example=_EXAMPLE),
        problems=[catalogue.NOT_FOUND],
    ),
)
async def read(
    name: Annotated[str, Path(description="The kind's name.", examples=["booking-conflict"])],
) -> Response:
    """Reads."""
    kind = CATALOGUE.get(name)
    if kind is None:
        raise ProblemError(
            Problem(kind=catalogue.NOT_FOUND, detail="There is no such kind of problem.")
        )
    return HTMLResponse(kind_page(kind))
