"""Min-Event-Position: every read takes it, and tells where it stands."""

from api.app import build_app
from infra.projecting import ProjectionRunner
from tests.api.conftest import Studio, assert_problem, pointers
from tests.api.test_another_tenants_ids import OPERATIONS, furnished

STREAM = "/v1/events/stream"
"""Goes on from the position that its client names, whatever that is."""

FEED = "/v1/calendar-feeds/{key}.ics"
"""Is asked with another kind of key, in its own tests."""

PUBLIC = {
    "/v1/public/availability/{token}",
    "/v1/public/availability/{token}.html",
}
"""Are kept by caches, which know nothing of positions: they tell one, and wait for none."""

READS = [
    each
    for each in OPERATIONS
    if str(each).startswith("GET /v1/") and each.path not in {STREAM, FEED}
]


def test_every_read_declares_it() -> None:
    paths = build_app().openapi()["paths"]
    reads = {path: methods["get"] for path, methods in paths.items() if "get" in methods}
    taking = {
        path
        for path, read in reads.items()
        if "Min-Event-Position" in {parameter["name"] for parameter in read["parameters"]}
    }
    assert taking == {path for path in reads if path.startswith("/v1/")} - {STREAM} - PUBLIC
    assert taking | PUBLIC == {
        path
        for path, read in reads.items()
        if "Event-Position" in read["responses"]["200"]["headers"]
    }


async def test_every_read_answers_at_the_position_or_refuses_one_that_the_log_has_not_reached(
    studio: Studio, projector: ProjectionRunner
) -> None:
    ids = await furnished(studio)
    await projector.catch_up()
    head = int((await studio.get("/v1/events")).headers["Event-Position"])
    for read in READS:
        there = await read.ask(studio, ids, {"Min-Event-Position": str(head)})
        assert there.status_code == 200, (read, there.text)
        assert there.headers["Event-Position"] == str(head), read
        ahead = await read.ask(studio, ids, {"Min-Event-Position": str(head + 1)})
        assert pointers(assert_problem(ahead, 422, "validation-failed")) == [
            "/header/Min-Event-Position"
        ], read
