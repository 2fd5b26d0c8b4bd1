"""A problem (RFC 9457), as clients get it."""

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.schemas import examples

_EXAMPLE: dict[str, JsonValue] = {
    "type": "/problems/not-found",
    "title": "There is no such thing",
    "status": 404,
    "detail": f"There is no booking {examples.BOOKING_ID}.",
    "instance": f"/v1/bookings/{examples.BOOKING_ID}",
    "request_id": examples.REQUEST_ID,
}


class ProblemBody(BaseModel):
    """Why the request was not done (RFC 9457). Some kinds have more members; see its `type`."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [_EXAMPLE]})

    type: str = Field(
        description="What kind of problem it is; the address of its page.",
        examples=["/problems/not-found"],
    )
    title: str = Field(description="The kind, in words.", examples=["There is no such thing"])
    status: int = Field(description="The HTTP status.", examples=[404])
    detail: str = Field(
        description="This occurrence, in a sentence.",
        examples=[f"There is no booking {examples.BOOKING_ID}."],
    )
    instance: str = Field(
        description="What was asked for.", examples=[f"/v1/bookings/{examples.BOOKING_ID}"]
    )
    request_id: str = Field(
        description="The id of the request; the log has it too.", examples=[examples.REQUEST_ID]
    )
