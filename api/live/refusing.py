"""Why a client on a socket is not let in, or not given what it asks for: problems, as over HTTP."""

import psycopg
from pydantic import JsonValue
from pydantic_core import from_json, to_json

from api.live.door import PATH
from api.live.socket import Socket
from api.problems.from_errors import WHOLE_REQUEST, problem_of
from api.problems.problem import Problem, ProblemError
from infra.errors import EngineError, Overloaded

REFUSALS = (ProblemError, EngineError, psycopg.OperationalError)
"""What is told as a problem; whatever else is raised is a fault of ours."""


def problem_in(error: Exception) -> Problem:
    """Gives the problem that an error is.

    Args:
        error: one of `REFUSALS`.
    """
    if isinstance(error, ProblemError):
        return error.problem
    if isinstance(error, psycopg.OperationalError):
        error = Overloaded()
    return problem_of(error, WHOLE_REQUEST)


def problem_body(problem: Problem, socket: Socket) -> JsonValue:
    """Gives a problem document, of plain values.

    Args:
        problem: what keeps something from being done.
        socket: whose client is told.
    """
    body: JsonValue = from_json(to_json(problem.body(instance=PATH, request_id=socket.request_id)))
    return body
