"""Bodies are JSON by the letter, and text that the database can keep."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from api.problems.problem import ProblemError
from api.strict_json import parse_json

KEPT = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(KEPT, max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(KEPT, max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_every_json_value_is_read(value: JsonValue, escaped: bool) -> None:  # noqa: FBT001 - drawn
    assert parse_json(json.dumps(value, ensure_ascii=escaped).encode()) == value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b"-Infinity",
        b'{"a": 1, "a": 2}',
        b'{"b": {"a": 1, "a": 1}}',
        b'{"a": 01}',
        b'"tab\there"',
        b'"nul\x00here"',
        b"\xef\xbb\xbf{}",
        b'"\xff"',
        b'"\xed\xa0\x80"',
        '{"a": 1}'.encode("utf-16"),
        b"{} {}",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"9" * 5_000,
        b"// no comment\n{}",
    ],
)
def test_what_is_no_json_is_malformed(body: bytes) -> None:
    with pytest.raises(ProblemError) as caught:
        parse_json(body)
    assert caught.value.problem.kind.name == "malformed-request"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (rb'{"title": "a\u0000b"}', "/title"),
        (rb'{"title": "\ud800"}', "/title"),
        (rb'{"title": "\udc00\ud800"}', "/title"),
        (rb'{"a": [1, {"b/c": "\u0000"}]}', "/a/1/b~1c"),
        (rb'{"a": {"\ud83d": 1}}', "/a"),
        (rb'"\u0000"', ""),
    ],
)
def test_text_that_cannot_be_kept_is_pointed_to(body: bytes, pointer: str) -> None:
    with pytest.raises(ProblemError) as caught:
        parse_json(body)
    assert caught.value.problem.kind.name == "validation-failed"
    assert caught.value.problem.members["errors"] == [
        {
            "pointer": pointer,
            "message": "Expected text without NUL characters and unpaired surrogates",
        }
    ]


def test_a_surrogate_pair_is_one_character() -> None:
    assert parse_json(rb'"\ud83c\udfac"') == "\N{CLAPPER BOARD}"


@pytest.mark.parametrize("depth", [500, 700, 900, 20_000])
def test_what_is_nested_too_deeply_is_malformed_escapes_or_not(depth: int) -> None:
    body = b"[" * depth + b'"\\u0041"' + b"]" * depth
    with pytest.raises(ProblemError) as refused:
        parse_json(body)
    assert refused.value.problem.kind.status == 400


def test_an_object_of_very_many_names_is_refused_before_each_is_looked_at() -> None:
    body = json.dumps({str(number): 1 for number in range(1001)}).encode()
    with pytest.raises(ProblemError):
        parse_json(body)
