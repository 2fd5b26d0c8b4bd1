"""What is shown of a key is not worth having."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.access import new_api_key
from infra.access.key_form import shown_prefix


def test_a_made_key_is_recognised_by_eight_of_its_characters() -> None:
    key = new_api_key()
    assert len(key) == len("bk_") + 43
    assert shown_prefix(key) == key[: len("bk_") + 8]


@pytest.mark.parametrize("key", ["", "demo", "secret", "correct-horse-b"])
def test_of_a_short_key_nothing_is_shown(key: str) -> None:
    assert shown_prefix(key) is None


@given(st.text(min_size=16, max_size=600))
def test_of_a_chosen_key_a_quarter_is_shown_at_most(key: str) -> None:
    prefix = shown_prefix(key)
    assert prefix
    assert key.startswith(prefix)
    assert len(prefix) <= min(11, len(key) / 4)
