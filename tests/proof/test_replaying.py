"""A log told again: each event with what it changed, and nobody's personal data."""

from api.cli.replay_report import replayed_lines
from infra.proof.replaying import Cast, replay
from tests.proof.conftest import B1, EVENTS, Scene


async def told(scene: Scene, until: int = EVENTS) -> list[list[str]]:
    """What is said of each event: its own line without time and ids, then what it changed."""
    cast = Cast()
    events = [each async for each in replay(scene.conn, scene.tenant_id, until, cast)]
    return [[line.strip() for line in replayed_lines(event, cast)] for event in events]


async def test_history_is_told_as_what_became_what(scene: Scene) -> None:
    story = await told(scene)
    assert len(story) == EVENTS
    assert story[0][0].endswith('resource.registered "Stage 1" (' + f"{scene_id(0xA1)}), by key-1")
    head, *changes = story[4]
    assert "booking.confirmed" in head
    assert changes == ['status            "held" → "confirmed"', 'reason            "Signed"']
    assert story[5][1:] == ['title             "Pilot" → "Finale"']
    assert story[6][1:] == [
        'start_time        "2027-03-01T09:00:00Z" → "2027-03-01T11:00:00Z"',
        'end_time          "2027-03-01T10:00:00Z" → "2027-03-01T12:00:00Z"',
    ]
    assert 'resource_ids      "Stage 1", "Camera"' in story[3]


async def test_it_ends_where_it_is_asked_to(scene: Scene) -> None:
    assert await told(scene, until=3) == (await told(scene))[:3]


async def test_personal_data_stays_sealed_and_who_was_forgotten_is_told_to_be(scene: Scene) -> None:
    [sealed] = [line for line in (await told(scene))[2] if line.startswith("customer")]
    assert "sealed, key " in sealed
    assert "Ada" not in sealed
    await scene.conn.execute(
        """
        insert into booking.event
        select tenant_id, 11, %s, 1, 'customer.forgotten', '{"reason": "Asked"}', metadata,
               recorded_at, hash
          from booking.event
         where tenant_id = %s and seq = 10
        """,
        [sealed.rpartition(" ")[2], scene.tenant_id],
    )
    story = await told(scene, until=11)
    assert sealed.replace("sealed", "forgotten") in story[2]
    assert "customer.forgotten" in story[10][0]
    assert story[10][1:] == ['reason            "Asked"']


async def test_what_cannot_be_read_is_told_and_the_rest_goes_on(scene: Scene) -> None:
    await scene.do(
        """
        update booking.event set state = '{}', metadata = 'x', recorded_at = 'infinity'
         where tenant_id = %(tenant)s and seq = 3
        """
    )
    story = await told(scene)
    assert "at a time in no year" in story[2][0]
    assert "cannot be read: see `booking audit verify`" in story[2]
    of_the_same = [lines for lines in story if str(B1) in lines[0]]
    assert all("cannot be read" in lines[1] for lines in of_the_same)
    assert story[9][1:] == (await told(scene))[9][1:]


async def test_a_title_cannot_steer_the_terminal(scene: Scene) -> None:
    await scene.do(
        r"""
        update booking.event set state = replace(state, 'Finale', '\u001b[2J\u202eelaniF')
         where tenant_id = %(tenant)s and seq = 6
        """
    )
    lines = (await told(scene))[5]
    assert all(line.isprintable() for line in lines)
    assert r"\u202eelaniF" in lines[1]


def scene_id(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012x}"
