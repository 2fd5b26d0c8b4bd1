"""What is sent to forget a customer, and what is answered."""

import datetime as dt
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import examples


class ForgottenBody(BaseModel):
    """That a customer was forgotten; all that is still said of them."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [examples.FORGOTTEN]})

    id: UUID = Field(
        description="Of the key that was destroyed.", examples=[examples.CUSTOMER_KEY_ID]
    )
    forgotten_at: dt.datetime = Field(
        description="When it was, in UTC.", examples=["2026-04-01T08:30:00.771204Z"]
    )
    position: int = Field(description="The position of the event that says so.", examples=[9])
