"""What became of the commands of one request, as clients get it."""

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import examples
from api.schemas.booking_bodies import BookingBody
from api.schemas.problem import ProblemBody


class CommandResultBody(BaseModel):
    """What became of one command: what its own endpoint would have answered."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [examples.RESULT]})

    status: int = Field(description="The HTTP status of this command.", examples=[200])
    body: BookingBody | ProblemBody = Field(
        description="The booking after it, or the problem.", examples=[examples.BOOKING]
    )


class CommandsBody(BaseModel):
    """What became of all commands of the request."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [examples.RESULTS]})

    applied: bool = Field(description="Whether every command was applied.", examples=[True])
    results: list[CommandResultBody] = Field(
        description="A result for each command, in their order.",
        examples=[examples.RESULTS["results"]],
    )
