"""API keys, as the owner makes, lists, revokes and replaces them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import psycopg
import pytest

from infra.access import (
    AccessError,
    KeyEnded,
    create_api_key,
    create_tenant,
    issue_api_key,
    list_api_keys,
    new_api_key,
    revoke_api_key,
    rotate_api_key,
)
from infra.database import Database
from tests.conftest import Server, fresh_database

STUDIO, OTHER = "babelsberg", "cinecitta"
SOON = timedelta(hours=1)


@pytest.fixture(scope="module")
def shared(server: Server) -> Iterator[Database]:
    with fresh_database(server) as fresh:
        yield fresh


@pytest.fixture
def owner(shared: Database) -> Iterator[psycopg.Connection]:
    """Two tenants, for this test alone: nothing that is done here is ever committed."""
    with psycopg.connect(shared.owner_dsn) as conn, conn.transaction(force_rollback=True):
        create_tenant(conn, STUDIO, "Studio Babelsberg")
        create_tenant(conn, OTHER, "Cinecittà")
        yield conn


def test_only_a_hash_and_the_first_characters_of_a_key_are_stored(
    owner: psycopg.Connection,
) -> None:
    issued = issue_api_key(owner, STUDIO, "viewer")
    row = owner.execute("SELECT api_key::text FROM booking.api_key").fetchone()

    assert issued.record.prefix == issued.secret[:11]
    assert row is not None
    assert issued.secret[:12] not in row[0]


def test_a_key_wants_a_tenant_that_exists(owner: psycopg.Connection) -> None:
    with pytest.raises(AccessError, match="booking tenant create nobody"):
        create_api_key(owner, "nobody", "viewer")
    with pytest.raises(AccessError, match="booking tenant create nobody"):
        issue_api_key(owner, "nobody", "viewer")
    with pytest.raises(AccessError, match="booking tenant create nobody"):
        list_api_keys(owner, "nobody")


def test_the_same_key_for_another_tenant_or_role_is_refused(owner: psycopg.Connection) -> None:
    key = create_api_key(owner, STUDIO, "admin")
    assert create_api_key(owner, STUDIO, "admin", key=key) == key
    for slug, role in ((OTHER, "admin"), (STUDIO, "viewer")):
        with pytest.raises(AccessError, match="in use already"):
            create_api_key(owner, slug, "viewer" if role == "viewer" else "admin", key=key)
    assert len(list_api_keys(owner, STUDIO)) == 1


def test_a_key_that_was_given_up_never_lets_in_again(owner: psycopg.Connection) -> None:
    """Or whoever starts a server with a leaked key in its settings would undo its revocation."""
    key = create_api_key(owner, STUDIO, "admin", key="chosen-in-the-settings")
    [record] = list_api_keys(owner, STUDIO)
    revoke_api_key(owner, STUDIO, str(record.key_id))

    for slug in (STUDIO, OTHER):
        with pytest.raises(KeyEnded):
            create_api_key(owner, slug, "admin", key=key)
    assert [one.state for one in list_api_keys(owner, STUDIO)] == ["revoked"]


def test_processes_that_start_with_one_chosen_key_make_it_once(database: Database) -> None:
    key, together = new_api_key(), Barrier(4)
    with psycopg.connect(database.owner_dsn) as conn:
        create_tenant(conn, STUDIO, "Studio Babelsberg")

    def start(_: int) -> None:
        with psycopg.connect(database.owner_dsn) as conn:
            together.wait()
            create_api_key(conn, STUDIO, "admin", key=key)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(start, range(4)))
    with psycopg.connect(database.owner_dsn) as conn:
        assert len(list_api_keys(conn, STUDIO)) == 1


def test_keys_are_listed_with_what_is_known_of_them(owner: psycopg.Connection) -> None:
    expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=90)
    first = issue_api_key(owner, STUDIO, "booker", name="Website", expires_at=expires_at)
    second = create_api_key(owner, STUDIO, "viewer", key="short")
    issue_api_key(owner, OTHER, "admin")

    listed = list_api_keys(owner, STUDIO)

    assert listed[0] == first.record
    assert (listed[0].name, listed[0].role, listed[0].state) == ("Website", "booker", "active")
    assert (listed[0].expires_at, listed[0].last_used_at) == (expires_at, None)
    assert (listed[1].prefix, listed[1].handle) == (None, str(listed[1].key_id))
    assert second == "short"
    assert len(listed) == 2


def test_a_name_that_would_spoil_the_list_is_refused(owner: psycopg.Connection) -> None:
    for name in ("", "x" * 101, "two\nlines", "\x1b[2J"):
        with pytest.raises(AccessError, match="1 to 100 printable characters"):
            issue_api_key(owner, STUDIO, "viewer", name=name)


def test_a_key_is_revoked_by_prefix_or_id_once_and_for_all(owner: psycopg.Connection) -> None:
    one, other = (issue_api_key(owner, STUDIO, "viewer") for _ in range(2))

    revoked = revoke_api_key(owner, STUDIO, one.record.handle)
    again = revoke_api_key(owner, STUDIO, str(one.record.key_id).upper())

    assert revoked.state == "revoked"
    assert revoked.revoked_at is not None
    assert again == revoked
    assert [key.state for key in list_api_keys(owner, STUDIO)] == ["revoked", "active"]
    assert list_api_keys(owner, STUDIO)[1] == other.record


def test_what_names_no_key_of_the_tenant_is_not_repeated(owner: psycopg.Connection) -> None:
    others = issue_api_key(owner, OTHER, "viewer")
    mine = issue_api_key(owner, STUDIO, "viewer")
    for handle in (others.record.handle, str(others.record.key_id), mine.secret, "bk_", "%", ""):
        for change in (
            lambda: revoke_api_key(owner, STUDIO, handle),  # noqa: B023 - called at once
            lambda: rotate_api_key(owner, STUDIO, handle, SOON),  # noqa: B023 - called at once
        ):
            with pytest.raises(AccessError, match=f"booking apikey list --tenant {STUDIO}") as told:
                change()
            assert len(handle) < 4 or handle not in str(told.value)
    assert [key.state for key in list_api_keys(owner, OTHER)] == ["active"]


def test_a_prefix_that_several_keys_have_is_not_enough(owner: psycopg.Connection) -> None:
    for end in ("one", "two"):
        create_api_key(owner, STUDIO, "viewer", key="the-same-beginning-" + end)
    [prefix, _] = [key.handle for key in list_api_keys(owner, STUDIO)]

    with pytest.raises(AccessError, match=r"2 keys begin with the-s\. Give the id"):
        revoke_api_key(owner, STUDIO, prefix)


def test_a_rotated_key_ends_with_the_overlap_and_the_new_one_is_like_it(
    owner: psycopg.Connection,
) -> None:
    expires_at = datetime.now(UTC) + timedelta(days=90)
    first = issue_api_key(owner, STUDIO, "booker", name="Website", expires_at=expires_at)

    issued, old = rotate_api_key(owner, STUDIO, first.record.handle, SOON)
    new = issued.record

    assert (new.role, new.name, new.state) == ("booker", "Website", "active")
    assert (new.replaces, old.replaced_by) == (first.record.key_id, new.key_id)
    assert new.expires_at is not None
    assert first.record.expires_at is not None
    life = new.expires_at - new.created_at, first.record.expires_at - first.record.created_at
    assert abs(life[0] - life[1]) < timedelta(seconds=1)
    assert old.state == "active"
    assert old.expires_at is not None
    assert abs(old.expires_at - new.created_at - SOON) < timedelta(seconds=1)
    assert list_api_keys(owner, STUDIO) == [old, new]


def test_a_rotation_never_lengthens_a_life(owner: psycopg.Connection) -> None:
    expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=5)
    first = issue_api_key(owner, STUDIO, "booker", expires_at=expires_at)
    _, old = rotate_api_key(owner, STUDIO, first.record.handle, SOON)
    assert old.expires_at == expires_at

    forever = issue_api_key(owner, STUDIO, "booker")
    issued, old = rotate_api_key(owner, STUDIO, forever.record.handle, timedelta())
    assert issued.record.expires_at is None
    assert old.state == "expired"


def test_what_lets_in_no_more_or_was_replaced_is_not_rotated(owner: psycopg.Connection) -> None:
    first = issue_api_key(owner, STUDIO, "booker")
    issued, _ = rotate_api_key(owner, STUDIO, first.record.handle, SOON)
    with pytest.raises(AccessError, match=f"apikey rotate {issued.record.key_id}"):
        rotate_api_key(owner, STUDIO, first.record.handle, SOON)

    revoke_api_key(owner, STUDIO, issued.record.handle)
    with pytest.raises(AccessError, match=r"is revoked.*apikey create"):
        rotate_api_key(owner, STUDIO, issued.record.handle, SOON)


def test_of_two_rotations_at_once_the_second_is_told(database: Database) -> None:
    together = Barrier(2)
    with psycopg.connect(database.owner_dsn) as conn:
        create_tenant(conn, STUDIO, "Studio Babelsberg")
        key = issue_api_key(conn, STUDIO, "booker").record

    def rotate(_: int) -> str:
        with psycopg.connect(database.owner_dsn) as conn:
            together.wait()
            try:
                rotate_api_key(conn, STUDIO, key.handle, SOON)
            except AccessError as error:
                return str(error)
            return "done"

    with ThreadPoolExecutor(2) as threads:
        told = sorted(threads.map(rotate, range(2)))
    assert "was replaced already" in told[0]
    assert told[1] == "done"
    with psycopg.connect(database.owner_dsn) as conn:
        assert len(list_api_keys(conn, STUDIO)) == 2
