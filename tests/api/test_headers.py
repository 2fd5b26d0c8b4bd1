"""The request headers, read by their RFCs."""

import pytest

from api.headers import (
    parse_idempotency_key,
    parse_if_match,
    read_min_event_position,
    read_write_headers,
)
from api.problems.problem import ProblemError


@pytest.mark.parametrize(
    ("text", "versions"),
    [
        ("*", None),
        (" * ", None),
        ('"3"', {3}),
        ('"3", "4"', {3, 4}),
        ('"3","4" ,\t"5"', {3, 4, 5}),
        (', "3",, "4",', {3, 4}),
        ('W/"3"', set()),
        ('W/"3", "4"', {4}),
        ('"abc"', set()),
        ('"03"', set()),
        ('"-1", "0", "3.0"', set()),
        ('""', set()),
        ('"a,b", "2"', {2}),
        ('"99999999999999999999"', set()),
    ],
)
def test_if_match_is_a_star_or_a_list_of_entity_tags(text: str, versions: set[int] | None) -> None:
    assert parse_if_match(text) == versions


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3",
        "'3'",
        '"3',
        '3"',
        '"3" "4"',
        '"3", 4',
        '*, "3"',
        '"3", *',
        "W/3",
        'w/"3"',
        ",",
        ", ,",
    ],
)
def test_what_is_no_entity_tag_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Expected"):
        parse_if_match(text)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("booking-4711", "booking-4711"),
        ('"booking-4711"', "booking-4711"),
        ('  "with space"\t', "with space"),
        ("with space", "with space"),
        (r'"a\"b\\c"', r"a\"b\\c".replace("\\\\", "\\").replace('\\"', '"')),
        ("x" * 255, "x" * 255),
        ('"' + "x" * 255 + '"', "x" * 255),
    ],
)
def test_an_idempotency_key_is_bare_or_quoted(text: str, key: str) -> None:
    assert parse_idempotency_key(text) == key


@pytest.mark.parametrize(
    "text", ["", '""', '"open', '"a"b', '"a";p=1', "x" * 256, "caf\xe9", "a\tb", r'"\x"']
)
def test_what_is_no_idempotency_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Expected"):
        parse_idempotency_key(text)


def test_several_if_match_lines_are_one_list() -> None:
    headers = read_write_headers([(b"if-match", b'"1"'), (b"if-match", b'"2"')])
    assert headers.if_match == frozenset({1, 2})
    assert headers.if_match_text == '"1", "2"'


def test_without_conditions_there_are_none() -> None:
    headers = read_write_headers([(b"accept", b"*/*")])
    assert (headers.if_match, headers.if_match_text, headers.idempotency_key) == (None, None, None)


def test_a_second_idempotency_key_is_refused() -> None:
    with pytest.raises(ProblemError):
        read_write_headers([(b"idempotency-key", b"a"), (b"idempotency-key", b"b")])


@pytest.mark.parametrize("value", [b"", b"-1", b"1.5", b"x", b"99999999999999999999", b"1, 2"])
def test_what_is_no_position_is_refused(value: bytes) -> None:
    with pytest.raises(ProblemError):
        read_min_event_position([(b"min-event-position", value)])


def test_a_position_is_a_whole_number() -> None:
    assert read_min_event_position([(b"min-event-position", b" 42 ")]) == 42
    assert read_min_event_position([]) is None
