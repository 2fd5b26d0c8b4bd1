"""What every answer tells a browser, whose pages may read it, and what no answer tells."""

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable

import psycopg
import pytest
from fastapi import FastAPI
from httpx import Response
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from structlog.typing import EventDict

from api.cors import Cors
from api.services import Services
from tests.api.conftest import Studio, assert_problem, new_booking

APP, STRANGER = "https://app.example.com", "https://evil.example.com"
SECRET = "hunter2 of ada@example.org"  # noqa: S105 - of this test
SQL = f"select name from booking.customer where name = '{SECRET}'"  # noqa: S608 - never run


def policy(answer: Response) -> dict[str, str]:
    directives = answer.headers["content-security-policy"].split("; ")
    return {name: value for name, _, value in (each.partition(" ") for each in directives)}


async def everything(studio: Studio) -> dict[str, Response]:
    """Answers of every sort."""
    stage = await studio.resource()
    nobody = studio.with_key(None)
    return {
        "made": await studio.post("/v1/bookings", new_booking([stage])),
        "refused": await studio.post("/v1/bookings", new_booking([stage])),
        "read": await studio.get("/v1/resources"),
        "malformed": await studio.client.post("/v1/bookings", content=b"{"),
        "absent": await studio.get("/v1/nowhere"),
        "not allowed": await studio.client.put("/v1/resources"),
        "unauthenticated": await nobody.get("/v1/resources"),
        "metrics": await studio.get("/metrics"),
        "alive": await nobody.get("/livez"),
        "ready": await nobody.get("/readyz"),
        "document": await nobody.get("/openapi.json"),
        "docs": await nobody.get("/docs"),
        "problems": await nobody.get("/problems"),
        "problem": await nobody.get("/problems/not-found"),
        "no problem": await nobody.get("/problems/none"),
        "head": await studio.client.head("/v1/resources"),
        "options": await studio.client.options("/v1/resources"),
    }


async def test_every_answer_is_safe_in_a_browser(studio: Studio) -> None:
    for name, answer in (await everything(studio)).items():
        for header, value in {
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-resource-policy": "same-origin",
        }.items():
            assert answer.headers.get_list(header) == [value], (name, header)
        told = policy(answer)
        assert told["default-src"] == "'none'", name
        assert told["frame-ancestors"] == "'none'", name
        if name not in {"docs", "problems", "problem", "no problem"}:
            assert not {"script-src", "style-src"} & set(told), name
        assert "server" not in answer.headers
        assert "strict-transport-security" not in answer.headers
        assert "access-control-allow-origin" not in answer.headers
        kept = {"document", "docs", "problems", "problem", "no problem"}
        assert (answer.headers.get("cache-control") == "no-store") == (name not in kept), name


@pytest.mark.parametrize("path", ["/docs", "/problems", "/problems/not-found"])
async def test_pages_may_run_and_show_what_is_theirs_and_nothing_else(
    studio: Studio, path: str
) -> None:
    answer = await studio.with_key(None).get(path)
    told = policy(answer)
    for tag in ("script", "style"):
        for text in re.findall(rf"<{tag}>(.*?)</{tag}>", answer.text, re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in told[f"{tag}-src"].split()
    elsewhere = set(re.findall(r'(?:src|href)="(https://[^/"]+)', answer.text))
    for origin in elsewhere:
        assert any(origin in sources for sources in told.values())
    assert "unsafe-inline" not in told.get("script-src", "")


async def test_behind_https_browsers_are_told_to_stay_there(studio: Studio) -> None:
    answer = await studio.client.get("https://booking.test/v1/resources")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


async def test_a_route_may_say_that_its_answer_can_be_kept(studio: Studio, app: FastAPI) -> None:
    async def kept(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("", headers={"Cache-Control": "max-age=60"})

    app.add_route("/v1/kept", kept)
    answer = await studio.get("/v1/kept")
    assert answer.headers.get_list("cache-control") == ["max-age=60"]


# Cross-origin requests


async def preflight(studio: Studio, origin: str, path: str = "/v1/bookings") -> Response:
    return await studio.with_key(None).options(
        path,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,idempotency-key",
        },
    )


async def test_without_listed_origins_there_are_no_cross_origin_requests(studio: Studio) -> None:
    assert_problem(await preflight(studio, APP), 401, "unauthenticated")
    answer = await studio.get("/v1/resources", Origin=APP)
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert "vary" not in answer.headers


async def test_pages_of_listed_origins_may_ask_and_read(studio: Studio, services: Services) -> None:
    object.__setattr__(services, "cors", Cors([APP, "http://localhost:5173"]))
    asked = await preflight(studio, APP)
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == APP
    assert asked.headers["x-request-id"]
    taken = asked.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "content-type", "idempotency-key", "if-match"} <= set(taken)
    assert {"POST", "PATCH"} <= set(asked.headers["access-control-allow-methods"].split(", "))
    for answer in (
        await studio.get("/v1/resources", Origin=APP),
        await studio.with_key(None).get("/v1/resources", headers={"Origin": APP}),
        await studio.get("/v1/nowhere", Origin=APP),
    ):
        assert answer.headers.get_list("access-control-allow-origin") == [APP]
        assert answer.headers.get_list("vary") == ["Origin"]
        shown = answer.headers["access-control-expose-headers"].lower().split(", ")
        assert {
            "etag", "location", "event-position", "idempotent-replayed", "ratelimit",
            "ratelimit-policy", "retry-after", "x-request-id",
        } <= set(shown)  # fmt: skip
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", [STRANGER, "null", f"{APP}.evil.example", f"{APP}:444", APP.upper(), "https://app"]
)
async def test_pages_of_other_origins_may_not(
    studio: Studio, services: Services, origin: str
) -> None:
    object.__setattr__(services, "cors", Cors([APP]))
    assert_problem(await preflight(studio, origin), 401, "unauthenticated")
    answer = await studio.get("/v1/resources", Origin=origin)
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["vary"] == "Origin"  # so that no cache gives this answer to the others


async def test_a_preflight_does_nothing(studio: Studio, services: Services) -> None:
    object.__setattr__(services, "cors", Cors([APP]))
    headers = {"Origin": APP, "Access-Control-Request-Method": "POST"}
    body = {"name": "Stage", "kind": "stage", "timezone": "UTC"}
    answer = await studio.client.request("POST", "/v1/resources", headers=headers, json=body)
    assert answer.status_code == 201  # what names a method is a preflight as OPTIONS alone
    answer = await studio.client.request("OPTIONS", "/v1/resources", headers=headers, json=body)
    assert answer.status_code == 204
    assert len((await studio.get("/v1/resources")).json()["items"]) == 1


# Faults


def raising(error: Exception) -> Callable[..., Awaitable[None]]:
    async def fail(*_: object, **__: object) -> None:
        raise error

    return fail


FAULTS = [
    RuntimeError(f"cannot use {SECRET}"),
    psycopg.errors.SyntaxError(f"syntax error at: {SQL}"),
    psycopg.errors.UniqueViolation(f"duplicate key\nDETAIL:  Key (name)=({SECRET})"),
    psycopg.OperationalError(f"connection to postgresql://ada:{SECRET}@db failed"),
    ValueError(SQL),
]
LAYERS = {
    "infra.access.ApiKeys.authenticate": 4,
    "infra.limits.Limiter.admit": 4,
    "infra.engine.BookingEngine.execute": 1,
    "infra.engine.BookingEngine.booking": 1,
    "infra.engine.AuditTrail.events": 1,
    "api.reading.read_head": 1,
}
"""Where a fault is put, and how many of the requests meet it."""

NEVER_TOLD = (SECRET, "hunter2", "select", "booking.customer", "Traceback", "psycopg", ".py")


@pytest.mark.parametrize(("layer", "met"), LAYERS.items(), ids=LAYERS)
async def test_no_fault_of_any_layer_is_told_to_the_client(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, log: list[EventDict], layer: str, met: int
) -> None:
    stage = await studio.resource()
    for error in FAULTS:
        # What asks the database at the door knows itself when it cannot be asked.
        passes = isinstance(error, psycopg.OperationalError) and met == 1
        log.clear()
        with monkeypatch.context() as patch:
            patch.setattr(layer, raising(error))
            answers = [
                await studio.post("/v1/bookings", new_booking([stage])),
                await studio.get(f"/v1/bookings/{stage}"),
                await studio.get("/v1/resources"),
                await studio.get("/v1/events"),
            ]
        failed = [answer for answer in answers if answer.status_code >= 500]
        assert len(failed) == met
        assert [line["event"] for line in log].count("api.fault") == (0 if passes else met)
        for answer in failed:
            name = "overloaded" if answer.status_code == 503 else "internal-error"
            assert_problem(answer, answer.status_code, name)
            assert passes or answer.status_code == 500
            told = answer.text + str(answer.headers)
            assert not [word for word in (*NEVER_TOLD, type(error).__name__) if word in told]
