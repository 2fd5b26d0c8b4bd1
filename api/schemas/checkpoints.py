"""Signed checkpoints of the tenant's log."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import examples


class CheckpointBody(BaseModel):
    """Where the log ended at some time, signed."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [examples.CHECKPOINT]})

    position: int = Field(description="Of the last event then.", examples=[4])
    hash: str = Field(
        description="Of that event, in hexadecimal; it covers all events before.",
        examples=[examples.CHECKPOINT["hash"]],
    )
    recorded_at: datetime = Field(
        description="When that event was recorded, in UTC.",
        examples=["2026-02-20T09:20:11.004512Z"],
    )
    signed_at: datetime = Field(
        description="When it was signed, in UTC, by the service's own clock.",
        examples=["2026-02-20T10:00:00.000871Z"],
    )
    note: str = Field(
        description="The signed note (C2SP signed-note, Ed25519): keep it, and see later that the "
        "log still continues it.",
        examples=[examples.CHECKPOINT_NOTE],
    )


class CheckpointsBody(BaseModel):
    """A page of signed checkpoints, the newest first."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [examples.CHECKPOINTS]}
    )

    items: list[CheckpointBody] = Field(
        description="The checkpoints.", examples=[[examples.CHECKPOINT]]
    )
    keys: list[str] = Field(
        description="The public keys that sign, or have signed, as programs that check notes take "
        "them. Get them once by another way than this, for whoever could forge a log could answer "
        "with other keys.",
        examples=[[examples.VERIFIER_KEY]],
    )
    next_cursor: str | None = Field(
        description="Give it as `cursor` to get the next page; null on the last one.",
        examples=[examples.CURSOR],
    )
