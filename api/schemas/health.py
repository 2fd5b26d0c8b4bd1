"""Whether the service is well, as operators get it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

_CHECKS: dict[str, JsonValue] = {"database": "ok", "migrations": "ok", "commit_queue": "ok"}
READY: dict[str, JsonValue] = {"status": "ready", "checks": _CHECKS}


class LivenessBody(BaseModel):
    """The process answers."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"status": "alive"}]})

    status: Literal["alive"] = Field(description="That it lives.", examples=["alive"])


class ReadinessBody(BaseModel):
    """The process can serve."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [READY]},
    )

    status: Literal["ready"] = Field(description="That it can serve.", examples=["ready"])
    checks: dict[str, str] = Field(
        description="Each thing looked at: `ok`, or what is wrong with it.", examples=[_CHECKS]
    )
