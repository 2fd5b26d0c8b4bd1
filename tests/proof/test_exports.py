"""An exported log: whole or not at all, whichever byte of it was changed."""

import io
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts import verify_export
from tests.proof.conftest import EVENTS, Scene, checked


@pytest.fixture
async def export(scene: Scene) -> bytes:
    return await scene.exported()


def is_sound_to_the_script(export: bytes) -> bool:
    file = io.BytesIO(export)
    try:
        return not [*verify_export.check(file.readline(), iter(file))]
    except verify_export.DAMAGED:
        return False


def is_sound(export: bytes) -> bool:
    result = checked(export)
    return not result.findings.count and not result.unknown_checkpoints


async def test_it_says_itself_what_it_is(export: bytes) -> None:
    assert is_sound(export)
    assert is_sound_to_the_script(export)
    header, *lines = export.splitlines()
    assert header.startswith(b'{"format":"booking-log-export","version":1,')
    assert len(lines) == EVENTS + 1
    assert lines[-1].startswith(b'{"head":10,')
    assert b"Ada" not in export  # sealed, as in the log


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_byte_of_it_is_free(export: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(export) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != export[place]))
    altered = export[:place] + bytes([byte]) + export[place + 1 :]
    assert not is_sound(altered)
    if place > export.index(b"\n"):  # the keys and signatures in the first line are beyond it
        assert not is_sound_to_the_script(altered)


async def test_no_line_of_it_can_be_left_out_or_moved(export: bytes) -> None:
    lines = export.splitlines(keepends=True)
    for place in range(len(lines)):
        without = b"".join(lines[:place] + lines[place + 1 :])
        assert not is_sound(without)
        assert not is_sound_to_the_script(without)
        assert not is_sound(b"".join(lines[:place]))
        assert not is_sound_to_the_script(b"".join(lines[:place]))
    for one, other in permutations(range(len(lines)), 2):
        swapped = [*lines]
        swapped[one], swapped[other] = lines[other], lines[one]
        assert not is_sound(b"".join(swapped))
        assert not is_sound_to_the_script(b"".join(swapped))


@pytest.mark.parametrize("junk", [b"", b"\n", b"{}\n", b"\xff\n", b"[" * 100_000, b"null\n"])
def test_what_is_no_export_is_told_as_such(junk: bytes) -> None:
    assert not is_sound(junk)
    assert not is_sound_to_the_script(junk)
