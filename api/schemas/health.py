"""Whether the service is well, as operators get it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from infra.circuit_breaker import State
from infra.told_circuits import Process

_CHECKS: dict[str, JsonValue] = {"database": "ok", "migrations": "ok", "commit_queue": "ok"}
_LAG: dict[str, JsonValue] = {"events": 3, "seconds": 0.041, "parked": 0, "age_seconds": 1.7}
_BEHIND: dict[str, JsonValue] = {"bookings": _LAG}
_CIRCUITS: dict[str, JsonValue] = {"Redis": "closed", "https://clerk.example.com": "closed"}
_ELSEWHERE: dict[str, JsonValue] = {"state": "open", "left_alone": 1, "age_seconds": 2.3}
_CIRCUITS_ELSEWHERE: dict[str, JsonValue] = {"projector": {"Cloudflare": _ELSEWHERE}}
READY: dict[str, JsonValue] = {
    "status": "ready",
    "checks": _CHECKS,
    "projections": _BEHIND,
    "circuits": _CIRCUITS,
    "circuits_elsewhere": _CIRCUITS_ELSEWHERE,
}


class LivenessBody(BaseModel):
    """The process answers."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"status": "alive"}]})

    status: Literal["alive"] = Field(description="That it lives.", examples=["alive"])


class LagBody(BaseModel):
    """How far a projection is behind the log, all tenants taken together."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_LAG]})

    events: int = Field(description="Events that it does not have yet.", examples=[3])
    seconds: float = Field(description="Age of the oldest of them; 0 for none.", examples=[0.041])
    parked: int = Field(
        description="Tenants whose events cannot be applied any further.", examples=[0]
    )
    age_seconds: float = Field(
        description="How long ago a projector measured this; it grows where none runs.",
        examples=[1.7],
    )


class CircuitElsewhereBody(BaseModel):
    """The circuits of one name, as a process knows them that answers no requests."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_ELSEWHERE]})

    state: State = Field(
        description="Whether calls pass. Of several, the worst; of `export`, whether the store "
        "took the last one.",
        examples=["open"],
    )
    left_alone: int = Field(description="How many of them are not `closed`.", examples=[1])
    age_seconds: float = Field(description="How long ago it was told.", examples=[2.3])


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
    projections: dict[str, LagBody] = Field(
        description="How far each is that follows the log, as it was last measured. Being behind "
        "makes no process unready.",
        examples=[_BEHIND],
    )
    circuits: dict[str, State] = Field(
        description="Each service outside that this process calls: `closed` where calls pass, "
        "`open` where it is left alone since it did not answer, `half-open` while one call tries. "
        "None of them makes a process unready.",
        examples=[_CIRCUITS],
    )
    circuits_elsewhere: dict[Process, dict[str, CircuitElsewhereBody]] = Field(
        description="Likewise, of processes that answer no requests: by the kind of process, as "
        "they were told last. What is not told again is left out after a while.",
        examples=[_CIRCUITS_ELSEWHERE],
    )
