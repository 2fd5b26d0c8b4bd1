"""From exceptions that end a request to its problem: the last stop before the client."""

from http import HTTPStatus

import psycopg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match

from api.admission import TurnedAway
from api.call import call_of
from api.problems import catalogue
from api.problems.from_errors import INTERNAL_ERROR, WHOLE_REQUEST, problem_of
from api.problems.pointer import field_errors
from api.problems.problem import Problem, ProblemError, validation_failed
from infra.errors import EngineError, Overloaded

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def add_problem_handlers(app: FastAPI) -> None:
    """Makes the app answer every exception with a problem.

    What no handler knows goes through to the middleware, which answers internal-error and logs it.

    Args:
        app: the app.
    """
    app.add_exception_handler(ProblemError, _answer_problem)
    app.add_exception_handler(RequestValidationError, _answer_invalid_form)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(EngineError, _answer_engine)
    app.add_exception_handler(psycopg.OperationalError, _answer_no_database)


def problem_response(request: Request, problem: Problem) -> Response:
    """Answers a request with a problem.

    Args:
        request: the request.
        problem: why it is not done.
    """
    call = call_of(request.scope)
    return problem.response(instance=call.instance, request_id=call.request_id)


async def _answer_problem(request: Request, error: Exception) -> Response:
    problem = error.problem if isinstance(error, ProblemError) else INTERNAL_ERROR
    return problem_response(request, problem)


async def _answer_invalid_form(request: Request, error: Exception) -> Response:
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    return problem_response(request, validation_failed(*field_errors(errors)))


async def _answer_engine(request: Request, error: Exception) -> Response:
    call_of(request.scope).turned_away = isinstance(error, TurnedAway)
    return problem_response(request, problem_of(error, WHOLE_REQUEST))


async def _answer_no_database(request: Request, _error: Exception) -> Response:
    return problem_response(request, problem_of(Overloaded(), WHOLE_REQUEST))


async def _answer_http(request: Request, error: Exception) -> Response:
    """Answers what the router says: there is no such path, or not for this method."""
    status = error.status_code if isinstance(error, HTTPException) else 0
    if status == HTTPStatus.NOT_FOUND:
        problem = Problem(kind=catalogue.NOT_FOUND, detail="There is nothing at this address.")
    elif status == HTTPStatus.METHOD_NOT_ALLOWED:
        problem = _method_not_allowed(request)
    else:
        problem = INTERNAL_ERROR
    return problem_response(request, problem)


def _method_not_allowed(request: Request) -> Problem:
    """Names all methods of the path; the router knows only those of the first route it found."""
    routes: list[BaseRoute] = request.app.routes
    allowed = ", ".join(
        method
        for method in _METHODS
        if any(_takes(route, request, "GET" if method == "HEAD" else method) for route in routes)
    )
    return Problem(
        kind=catalogue.METHOD_NOT_ALLOWED,
        detail=f"{request.method} is not for this address; it takes: {allowed}.",
        headers={"Allow": allowed},
    )


def _takes(route: BaseRoute, request: Request, method: str) -> bool:
    match, _ = route.matches({**request.scope, "method": method})
    return match is Match.FULL
