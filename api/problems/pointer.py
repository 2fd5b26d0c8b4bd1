"""JSON pointers (RFC 6901) to what is wrong with a request, made of pydantic's errors."""

from collections.abc import Iterable, Sequence

from pydantic_core import ErrorDetails

from api.problems.problem import FieldError


def join(pointer: str, *parts: str | int) -> str:
    """Appends reference tokens to a pointer.

    Args:
        pointer: to what holds them; the empty pointer points to the whole document.
        parts: names and indices.
    """
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    return "/".join([pointer, *escaped])


def field_errors(errors: Iterable[ErrorDetails]) -> tuple[FieldError, ...]:
    """Tells pydantic's errors, as FastAPI hands them on, with pointers.

    Args:
        errors: of one request; their places begin with where in it: body, query, path, header.
    """
    return tuple(
        FieldError(pointer=_pointer(error["loc"], error["type"]), message=_message(error))
        for error in errors
    )


def _pointer(loc: Sequence[str | int], kind: str) -> str:
    where, *parts = loc
    # The place of an error inside a command names the union's member after the index; the body
    # has nothing of that name.
    match parts:
        case ["commands", int(), str(), *_]:
            del parts[2]
        case ["commands", int()] if kind.startswith("union_tag"):
            parts.append("type")
    return join("" if where == "body" else f"/{where}", *parts)


def _message(error: ErrorDetails) -> str:
    match error["type"]:
        case "missing" | "union_tag_not_found":
            return "This is required"
        case "extra_forbidden":
            return "There is no such field"
        case "uuid_type" | "uuid_parsing":
            return "Expected a UUID"
        case _:
            return error["msg"]
