"""Cursors can only be handed back, to the list that they came from."""

from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from api.cursor import Cursors, CursorScope
from api.problems.problem import ProblemError
from domain.ids import TenantId

PLACE = TypeAdapter(tuple[str, int])
CURSORS = Cursors(b"k" * 32)
SCOPE = CursorScope(tenant_id=TenantId(uuid4()), of="resources", filters={"kind": "stage"})


@given(st.text(), st.integers())
def test_a_cursor_is_opened_to_the_place_it_was_made_of(name: str, number: int) -> None:
    assert CURSORS.open(PLACE, CURSORS.seal([name, number], SCOPE), SCOPE) == (name, number)


@pytest.mark.parametrize(
    "other",
    [
        replace(SCOPE, tenant_id=TenantId(uuid4())),
        replace(SCOPE, of="calendar"),
        replace(SCOPE, filters={"kind": "camera"}),
        replace(SCOPE, filters={"kind": None}),
        replace(SCOPE, filters={}),
    ],
)
def test_a_cursor_is_refused_by_every_other_list(other: CursorScope) -> None:
    with pytest.raises(ProblemError):
        CURSORS.open(PLACE, CURSORS.seal(["a", 1], SCOPE), other)


def test_a_cursor_is_refused_under_another_key() -> None:
    with pytest.raises(ProblemError):
        Cursors(b"x" * 32).open(PLACE, CURSORS.seal(["a", 1], SCOPE), SCOPE)


@given(st.data())
def test_a_cursor_with_one_character_changed_is_refused(data: st.DataObject) -> None:
    cursor = CURSORS.seal(["stage", 12], SCOPE)
    place = data.draw(st.integers(0, len(cursor) - 2))  # the last one has bits that say nothing
    other = data.draw(st.sampled_from("ABCxyz019-_").filter(lambda char: char != cursor[place]))
    with pytest.raises(ProblemError):
        CURSORS.open(PLACE, cursor[:place] + other + cursor[place + 1 :], SCOPE)


@given(st.text(max_size=60))
def test_what_was_not_made_here_is_refused(text: str) -> None:
    with pytest.raises(ProblemError):
        CURSORS.open(PLACE, text, SCOPE)


@pytest.mark.parametrize("more", ["=", "!!", "%", " "])
def test_a_cursor_with_anything_added_is_refused(more: str) -> None:
    with pytest.raises(ProblemError):
        CURSORS.open(PLACE, CURSORS.seal(["stage", 12], SCOPE) + more, SCOPE)
