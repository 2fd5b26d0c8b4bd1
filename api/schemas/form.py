"""The base of every body that clients send."""

from pydantic import BaseModel, ConfigDict


class Form(BaseModel):
    """A body, or a part of one, as clients send it: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
