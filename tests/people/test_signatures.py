"""Only what the sender has signed, just now, is taken for the sender's."""

from datetime import UTC, datetime, timedelta

import pytest

from infra.people.signatures import Signatures, is_secret
from tests.people.clerk import OTHER_SECRET, SECRET, signed

BODY = '{"name": "Zoë"}'.encode()


def fits(headers: dict[str, str], body: bytes = BODY, secrets: tuple[str, ...] = (SECRET,)) -> bool:
    return Signatures(secrets).fits(
        body,
        delivery_id=headers["svix-id"],
        timestamp=headers["svix-timestamp"],
        signature=headers["svix-signature"],
    )


def test_what_is_signed_fits() -> None:
    assert fits(signed(BODY, "msg_1"))


def test_while_a_secret_is_replaced_both_count() -> None:
    both = (OTHER_SECRET, SECRET)
    assert fits(signed(BODY, "msg_1"), secrets=both)
    assert fits(signed(BODY, "msg_1", secret=OTHER_SECRET), secrets=both)
    assert not fits(signed(BODY, "msg_1", secret=OTHER_SECRET))


def test_one_signature_of_several_is_enough() -> None:
    headers = signed(BODY, "msg_1")
    other = signed(BODY, "msg_1", secret=OTHER_SECRET)["svix-signature"]
    headers["svix-signature"] = f"{other} v1a,AAAA {headers['svix-signature']}"

    assert fits(headers)


@pytest.mark.parametrize("minutes", [-6, 6, -60 * 24, 60 * 24])
def test_a_signature_of_another_time_does_not_count(minutes: int) -> None:
    then = datetime.now(UTC) + timedelta(minutes=minutes)

    assert not fits(signed(BODY, "msg_1", when=then))


@pytest.mark.parametrize("minutes", [-4, 4])
def test_clocks_may_differ_by_some_minutes(minutes: int) -> None:
    assert fits(signed(BODY, "msg_1", when=datetime.now(UTC) + timedelta(minutes=minutes)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("svix-id", "msg_2"),
        ("svix-id", ""),
        ("svix-id", "x" * 256),
        ("svix-timestamp", "1772355600"),
        ("svix-timestamp", ""),
        ("svix-timestamp", "nan"),
        ("svix-timestamp", "inf"),
        ("svix-timestamp", "now"),
        ("svix-timestamp", "9" * 400),
        ("svix-signature", ""),
        ("svix-signature", "v1"),
        ("svix-signature", "v1,"),
        ("svix-signature", "v1,,"),
        ("svix-signature", "v1,not base64"),
        ("svix-signature", "v1,AAAA"),
        ("svix-signature", "\xe9,\xe9"),
        ("svix-signature", "v1,\xe9"),
    ],
)
def test_whatever_else_stands_in_a_header_does_not_fit(name: str, value: str) -> None:
    assert not fits(signed(BODY, "msg_1") | {name: value})


def test_a_signature_is_of_one_version_alone() -> None:
    headers = signed(BODY, "msg_1")
    headers["svix-signature"] = headers["svix-signature"].replace("v1,", "v2,")

    assert not fits(headers)


@pytest.mark.parametrize("body", [b"", BODY + b" ", BODY[:-1], b"\xff\xfe", b"\x00" * 65_536])
def test_another_body_does_not_fit(body: bytes) -> None:
    assert not fits(signed(BODY, "msg_1"), body)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (SECRET, True),
        (OTHER_SECRET.rstrip("="), True),
        (SECRET.removeprefix("whsec_"), False),
        ("whsec_", False),
        ("whsec_AAAA", False),
        (f"whsec_{'A' * 200}", False),
        (SECRET + " ", False),
        ("whsec_" + "!" * 32, False),
    ],
)
def test_a_secret_has_the_form_that_clerk_shows(text: str, *, is_one: bool) -> None:
    assert is_secret(text) == is_one
