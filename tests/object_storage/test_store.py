"""What is kept in an object store is there as a whole or not at all; a folder or a bucket alike."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from infra.circuits import Circuits
from infra.object_storage import ObjectStore, StoreFailed, open_store
from infra.object_storage import store as storing
from infra.settings import Settings
from tests.object_storage.local_s3 import (
    ACCESS_KEY_ID,
    SECRET_ACCESS_KEY,
    LocalS3,
    running_s3,
)

PARTS = [bytes([number]) * 5_000_000 for number in range(5)]  # three of an upload's parts


@pytest.fixture
def s3() -> Iterator[LocalS3]:
    with running_s3() as store:
        yield store


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    soon = timedelta(milliseconds=5)
    backoff = {"init_backoff": soon, "max_backoff": soon, "base": 2}
    monkeypatch.setattr(storing, "RETRIES", {**storing.RETRIES, "backoff": backoff})


def bucket(s3: LocalS3, secret: str = SECRET_ACCESS_KEY) -> ObjectStore:
    settings = {
        "BOOKING_OBJECT_STORE": "s3://exports/booking",
        "BOOKING_OBJECT_STORE_ENDPOINT": s3.url,
        "BOOKING_OBJECT_STORE_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "BOOKING_OBJECT_STORE_SECRET_ACCESS_KEY": secret,
    }
    return open_store(Settings.model_validate(settings), Circuits())


def folder(path: Path) -> ObjectStore:
    return open_store(
        Settings.model_validate({"BOOKING_OBJECT_STORE": f"file://{path}"}), Circuits()
    )


def keep(store: ObjectStore, key: str, parts: Iterable[bytes]) -> None:
    with store.writing(key) as out:
        for part in parts:
            out.write(part)


def test_a_bucket_keeps_what_is_written_to_it(s3: LocalS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of somebody else")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://elsewhere.invalid")

    keep(bucket(s3), "nova/bookings ü.csv", PARTS)
    keep(bucket(s3), "nova/small.csv", [b"a,b\r\n", b"1,2\r\n"])
    keep(bucket(s3), "nova/empty.csv", [])

    assert s3.objects == {
        "/exports/booking/nova/bookings ü.csv": b"".join(PARTS),
        "/exports/booking/nova/small.csv": b"a,b\r\n1,2\r\n",
        "/exports/booking/nova/empty.csv": b"",
    }
    assert s3.uploads == {}
    assert s3.asked["PUT part"] == 3


def test_a_folder_keeps_what_is_written_to_it(tmp_path: Path) -> None:
    keep(folder(tmp_path / "new"), "nova/bookings.csv", PARTS)

    assert (tmp_path / "new/nova/bookings.csv").read_bytes() == b"".join(PARTS)


def test_what_fails_in_passing_is_sent_again(s3: LocalS3) -> None:
    s3.failing = dict.fromkeys(("POST upload", "PUT part", "POST complete"), (503, 2))

    keep(bucket(s3), "nova/bookings.csv", PARTS)

    assert s3.objects["/exports/booking/nova/bookings.csv"] == b"".join(PARTS)


@pytest.mark.parametrize("fails", ["POST upload", "PUT part", "POST complete", "PUT object"])
def test_what_fails_for_good_leaves_nothing_and_says_what_to_do(s3: LocalS3, fails: str) -> None:
    s3.failing = {fails: (500, 1_000)}

    with pytest.raises(StoreFailed, match=r"nothing is kept: .*500 Internal.*then try again"):
        keep(bucket(s3), "bookings.csv", [b"small"] if fails == "PUT object" else PARTS)

    assert (s3.objects, s3.uploads) == ({}, {})
    assert s3.asked[fails] > 1  # it was tried again


def interrupted() -> Iterator[bytes]:
    yield from PARTS
    raise KeyboardInterrupt


def test_whoever_fails_while_writing_leaves_what_was_there(s3: LocalS3, tmp_path: Path) -> None:
    for store in (bucket(s3), folder(tmp_path)):
        keep(store, "bookings.csv", [b"of yesterday"])
        with pytest.raises(KeyboardInterrupt):
            keep(store, "bookings.csv", interrupted())

    assert s3.objects == {"/exports/booking/bookings.csv": b"of yesterday"}
    assert s3.uploads == {}
    assert s3.asked["DELETE upload"] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["bookings.csv"]
    assert (tmp_path / "bookings.csv").read_bytes() == b"of yesterday"


def test_what_fails_while_the_next_piece_is_made_says_nothing_about_the_store(
    tmp_path: Path,
) -> None:
    circuits = Circuits()
    settings = Settings.model_validate({"BOOKING_OBJECT_STORE": f"file://{tmp_path}"})
    store = open_store(settings, circuits)
    for _ in range(storing.FAILURES + 1):
        with pytest.raises(ValueError, match="unreadable"), store.writing("bookings.csv"):
            raise ValueError("unreadable")
    assert circuits.states() == {"object store": "closed"}


def test_a_wrong_secret_is_refused_and_not_told(s3: LocalS3) -> None:
    with pytest.raises(StoreFailed, match="403 Forbidden") as refused:
        keep(bucket(s3, "wrong-and-secret"), "bookings.csv", PARTS)

    assert "See that BOOKING_OBJECT_STORE and the access key are right" in str(refused.value)
    assert "wrong-and-secret" not in repr(bucket(s3, "wrong-and-secret")) + str(refused.value)
    assert s3.objects == {}


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "../a", "a/..", "a/./b", "a\nb", "a" * 901]
)
def test_what_is_no_key_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(StoreFailed, match="cannot be a key"):
        keep(folder(tmp_path), key, [])


def test_no_store_and_no_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed, match="Set BOOKING_OBJECT_STORE"):
        open_store(Settings.model_validate({"BOOKING_OBJECT_STORE": None}), Circuits())
    (tmp_path / "file").touch()
    with pytest.raises(StoreFailed, match="Take another folder"):
        folder(tmp_path / "file")
