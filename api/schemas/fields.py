"""The types of single fields, with their bounds: every text, list and object has one."""

import math
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, JsonValue, PlainValidator, WithJsonSchema
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError, to_json

from domain.ids import ResourceId
from domain.limits import MAX_KIND, MAX_NAME, MAX_REFERENCE, MAX_RESOURCES, MAX_TITLE

MAX_ATTRIBUTES_BYTES = 8192
MAX_ATTRIBUTES_DEPTH = 8
MAX_INTEGER = 2**63 - 1

_ZONES = available_timezones() - {"localtime", "Factory"}  # these name no zone


def _not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "Expected more than white space")
    return text


def _zone(name: str) -> str:
    if name not in _ZONES:
        raise PydanticCustomError(
            "timezone", "Expected the IANA name of a time zone, such as Europe/Vienna"
        )
    return name


def _unique(resource_ids: list[ResourceId]) -> list[ResourceId]:
    if len(set(resource_ids)) < len(resource_ids):
        raise PydanticCustomError("repeated", "Expected each resource once")
    return resource_ids


def check_attributes(value: object) -> dict[str, JsonValue]:
    """Bounds what a client keeps with a thing.

    pydantic's own check of JSON knows no bounds, and takes the infinity that 1e999 is read as.

    Args:
        value: read from JSON, so its types are those of JSON.

    Returns:
        It.

    Raises:
        PydanticCustomError: it is no object, too large, too deep, or has a number that JSON
            or the database could not give back.
    """
    if not isinstance(value, dict):
        raise PydanticCustomError("attributes_type", "Expected an object")
    if value:
        _check_json(value, MAX_ATTRIBUTES_DEPTH)
        if len(to_json(value)) > MAX_ATTRIBUTES_BYTES:
            raise PydanticCustomError(
                "attributes_size",
                "Expected at most {bytes} bytes as JSON",
                {"bytes": MAX_ATTRIBUTES_BYTES},
            )
    return value


def _check_json(value: object, depth: int) -> None:
    if isinstance(value, dict | list):
        if depth == 0:
            raise PydanticCustomError(
                "attributes_depth",
                "Expected objects and lists at most {depth} deep",
                {"depth": MAX_ATTRIBUTES_DEPTH},
            )
        for item in value.values() if isinstance(value, dict) else value:
            _check_json(item, depth - 1)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise PydanticCustomError("number", "Expected a number that a double can hold")
    elif isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise PydanticCustomError("number", "Expected a whole number of at most 64 bits")


# `_not_blank`, as a schema tells it: five control characters are white space to Python alone.
_HAS_INK: JsonDict = {"pattern": r"[^\s\x1c-\x1f\x85]"}

Title = Annotated[
    str,
    Field(min_length=1, max_length=MAX_TITLE, json_schema_extra=_HAS_INK),
    AfterValidator(_not_blank),
]
Name = Annotated[
    str,
    Field(min_length=1, max_length=MAX_NAME, json_schema_extra=_HAS_INK),
    AfterValidator(_not_blank),
]
Kind = Annotated[
    str,
    Field(min_length=1, max_length=MAX_KIND, json_schema_extra=_HAS_INK),
    AfterValidator(_not_blank),
]
Notes = Annotated[str, Field(max_length=4000)]
Reference = Annotated[str, Field(min_length=1, max_length=MAX_REFERENCE)]
Reason = Annotated[str, Field(max_length=500)]
CustomerName = Annotated[str, Field(min_length=1, max_length=200)]
Email = Annotated[str, Field(min_length=1, max_length=320)]
Phone = Annotated[str, Field(min_length=1, max_length=50)]
TimeZoneName = Annotated[
    str, Field(max_length=100, json_schema_extra={"format": "timezone"}), AfterValidator(_zone)
]
ResourceIds = Annotated[
    list[ResourceId],
    Field(min_length=1, max_length=MAX_RESOURCES, json_schema_extra={"uniqueItems": True}),
    AfterValidator(_unique),
]
Attributes = Annotated[
    dict[str, JsonValue],
    PlainValidator(check_attributes),
    WithJsonSchema({"type": "object", "additionalProperties": True}),
]
