"""The OpenAPI document: what FastAPI makes of the routes, and what they have in common."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from api.schemas.live import LiveChangeBody, LiveHeartbeatBody
from api.schemas.problem import ProblemBody

# Any: OpenAPI objects, as FastAPI's own signatures have them.
OpenApi = dict[str, Any]

_DEFAULT_ERRORS = ("HTTPValidationError", "ValidationError")
_REFERENCE = "#/components/schemas/{model}"
_TAGS = [
    {"name": "bookings", "description": "Booking, and everything that happens to a booking."},
    {"name": "resources", "description": "What can be booked, and when it is free."},
    {"name": "customers", "description": "Forgetting the people that bookings are for."},
    {"name": "log", "description": "What happened, event by event."},
    {"name": "operations", "description": "For those who run the service."},
    {"name": "problems", "description": "What every error means."},
    {"name": "webhooks", "description": "What this service tells others, and they it."},
]


def complete(app: FastAPI) -> None:
    """Makes the app answer the complete document at `/openapi.json`, made once.

    Args:
        app: with all of its routes.
    """

    def document() -> OpenApi:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's own way to extend it


def _document(app: FastAPI) -> OpenApi:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        tags=_TAGS,
    )
    schemas = document["components"]["schemas"]
    # What no route answers as its body alone: the bodies of errors, and what streams are made of.
    _, besides = models_json_schema(
        [(model, "serialization") for model in (ProblemBody, LiveChangeBody, LiveHeartbeatBody)],
        ref_template=_REFERENCE,
    )
    schemas.update(besides["$defs"])
    for operations in document["paths"].values():
        for declared in operations.values():
            _drop_default_errors(declared)
            _raise_examples(declared, schemas)
    for unused in _DEFAULT_ERRORS:
        schemas.pop(unused, None)
    document["components"]["securitySchemes"] = {
        "ApiKey": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key (`booking apikey create` makes one), or a session token "
            "of an issuer that this installation trusts. Each operation says at `x-permission` "
            "what the caller's role has to allow.",
        }
    }
    document["security"] = [{"ApiKey": []}]
    return document


def _drop_default_errors(operation: OpenApi) -> None:
    """Takes out the 422 that FastAPI declares where there are parameters that cannot be wrong."""
    answer = operation["responses"].get("422", {"content": {}})
    if "application/json" in answer["content"]:
        del operation["responses"]["422"]


def _raise_examples(operation: OpenApi, schemas: OpenApi) -> None:
    """Shows the first example of a schema where generators look for it: beside the schema."""
    for parameter in operation["parameters"]:
        for example in parameter["schema"].get("examples", [])[:1]:
            parameter["example"] = example
    for content in operation.get("requestBody", {"content": {}})["content"].values():
        references = [content["schema"], *content["schema"].get("anyOf", [])]
        for reference in references:
            if "$ref" in reference:
                _, _, name = reference["$ref"].rpartition("/")
                content["example"] = schemas[name]["examples"][0]
