"""Signed checkpoints: what a rewritten history cannot continue, however well it was rewritten."""

from base64 import b64decode
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from structlog.testing import capture_logs

from infra.engine import running_engine
from infra.postgres.pool import open_pool
from infra.proof.checking import OtherLog
from infra.proof.checkpoints import sign_heads
from infra.proof.continuity import check_continues
from infra.proof.notes import Checkpoint, PublicKey, SignedCheckpoint, SigningKey, WrongNote
from infra.proof.trust import TrustedKeys, Worth
from infra.scheduler import Intervals, Scheduler
from infra.telemetry.metrics import Metrics
from tests.proof.conftest import (
    EVENTS,
    KEY,
    KEYS,
    MASTER_KEY,
    OTHER_TENANT,
    SIGNED_FIRST,
    Log,
    Scene,
    checked,
    found,
)

ANOTHER = """
    update booking.event set state = replace(state, 'Camera', 'Kamera')
     where tenant_id = %(tenant)s and seq = 2
"""
LATER = """
    update booking.event set state = replace(state, 'Rain', 'Snow')
     where tenant_id = %(tenant)s and seq = 9
"""
LOSE_CHECKPOINTS = "delete from booking.log_checkpoint where tenant_id = %(tenant)s"


def signed(key: SigningKey, checkpoint: Checkpoint) -> SignedCheckpoint:
    return SignedCheckpoint(checkpoint, (key.sign(checkpoint),))


async def test_a_rewritten_history_is_exposed_by_any_older_checkpoint(scene: Scene) -> None:
    await scene.do(ANOTHER)
    await scene.rehash()
    verified = await scene.verified()
    assert found(verified.findings) == {(SIGNED_FIRST, "rewritten"), (EVENTS, "rewritten")}

    await scene.do(LOSE_CHECKPOINTS)
    assert not (await scene.verified()).findings.count  # the forger knows how
    export = await scene.exported()
    assert not checked(export).findings.count
    first = scene.log.first
    assert found(checked(export, first).findings) == {(SIGNED_FIRST, "rewritten")}
    _, findings = await check_continues(scene.conn, scene.tenant_id, [first.checkpoint])
    assert found(findings) == {(SIGNED_FIRST, "rewritten")}


async def test_what_was_rewritten_since_a_checkpoint_is_exposed_by_the_next(scene: Scene) -> None:
    both = [scene.log.first.checkpoint, scene.log.last.checkpoint]
    end, findings = await check_continues(scene.conn, scene.tenant_id, both)
    assert (end, findings.count) == (EVENTS, 0)
    await scene.do(LATER)
    await scene.rehash()
    _, findings = await check_continues(scene.conn, scene.tenant_id, both)
    assert found(findings) == {(EVENTS, "rewritten")}


async def test_a_log_that_lacks_its_end_does_not_continue(scene: Scene) -> None:
    await scene.do("delete from booking.event where tenant_id = %(tenant)s and seq > 7")
    await scene.rehash()
    last = [scene.log.last.checkpoint]
    end, findings = await check_continues(scene.conn, scene.tenant_id, last)
    assert (end, found(findings)) == (7, {(EVENTS, "rewritten")})


async def test_two_checkpoints_that_contradict_each_other_are_told(scene: Scene) -> None:
    last = scene.log.last.checkpoint
    other = signed(KEY, Checkpoint(last.tenant_id, last.seq, bytes(32)))
    export = await scene.exported()
    assert found(checked(export, other).findings) == {(EVENTS, "rewritten")}
    both = [last, other.checkpoint]
    _, findings = await check_continues(scene.conn, scene.tenant_id, both)
    assert found(findings) == {(EVENTS, "rewritten")}


async def test_a_checkpoint_of_another_log_is_refused(scene: Scene) -> None:
    export = await scene.exported()
    with pytest.raises(OtherLog):
        checked(export, signed(KEY, Checkpoint(OTHER_TENANT, 1, bytes(32))))


async def test_a_forged_signature_is_found_where_it_is(scene: Scene) -> None:
    await scene.do(
        """
        update booking.log_checkpoint
           set signature = set_bit(signature, 5, 1 - get_bit(signature, 5))
         where tenant_id = %(tenant)s and seq = 5
        """
    )
    assert found((await scene.verified()).findings) == {(SIGNED_FIRST, "signature")}
    assert found(checked(await scene.exported()).findings) == {(SIGNED_FIRST, "signature")}


async def test_nothing_is_signed_that_does_not_continue_what_was(scene: Scene) -> None:
    def connect() -> AbstractAsyncContextManager[AsyncConnection[TupleRow]]:
        return nullcontext(scene.conn)

    assert not (await sign_heads(connect, KEY)).signed  # it ends where it was signed
    await scene.do(
        """
        delete from booking.log_checkpoint where tenant_id = %(tenant)s and seq = 10
        """,
        ANOTHER,
    )
    assert not (await sign_heads(connect, KEY, at_least=timedelta(hours=1))).signed
    await scene.rehash()
    signing = await sign_heads(connect, KEY)
    assert not signing.signed
    assert [each.last.seq for each in signing.refused] == [SIGNED_FIRST]


async def test_the_scheduler_signs_where_logs_end(log: Log) -> None:
    other = SigningKey(bytes(32))
    background = await open_pool(log.database.runtime_dsn, role="booking_background", max_size=2)
    async with (
        running_engine(log.database.runtime_dsn, MASTER_KEY, Metrics()) as running,
        await AsyncConnection.connect(log.database.owner_dsn, autocommit=True) as owner,
    ):
        intervals = Intervals(checkpoint_seconds=0)
        scheduler = Scheduler(background, running.engine, lambda _: None, intervals, KEY)
        assert await scheduler.sign_checkpoints() == 0
        kept = "from booking.log_checkpoint where tenant_id = %s and seq = 10"
        await owner.execute(f"delete {kept}", [log.tenant.tenant_id])
        assert await scheduler.sign_checkpoints() == 1
        cursor = await owner.execute(f"select signature {kept}", [log.tenant.tenant_id])
        assert await cursor.fetchall() == [(log.last.signatures[0].signature,)]

        without = Scheduler(background, running.engine, lambda _: None, intervals)
        assert await without.sign_checkpoints() == 0
        await owner.execute(f"delete {kept}", [log.tenant.tenant_id])
        rewrite = "update booking.log_checkpoint set hash = sha256(hash) where tenant_id = %s"
        cursor = await owner.execute("select hash from booking.log_checkpoint")
        [(right,)] = await cursor.fetchall()
        await owner.execute(rewrite, [log.tenant.tenant_id])
        with capture_logs() as lines:
            assert (
                await Scheduler(
                    background, running.engine, lambda _: None, intervals, other
                ).sign_checkpoints()
                == 0
            )
        assert [(line["event"], line["position"]) for line in lines] == [
            ("scheduler.log_does_not_continue_its_checkpoint", SIGNED_FIRST)
        ]
        await owner.execute("update booking.log_checkpoint set hash = %s", [right])
        assert await scheduler.sign_checkpoints() == 1
    await background.close()


def test_a_note_is_as_c2sp_has_it(log: Log) -> None:
    """Taken apart by hand, as a stranger would."""
    text, _, signature_line = log.first.note.partition("\n\n")
    origin, position, hash_ = text.split("\n")
    assert (origin, position) == (f"booking-log/v1/{log.tenant.tenant_id}", str(SIGNED_FIRST))
    assert b64decode(hash_) == log.first.checkpoint.hash
    dash, name, blob = signature_line.rstrip("\n").split(" ")
    assert (dash, name) == ("\u2014", origin)
    key_name, key_id, key = KEY.public.verifier_text(origin).split("+", 2)
    assert key_name == origin
    assert b64decode(blob)[:4].hex() == key_id
    public = Ed25519PublicKey.from_public_bytes(b64decode(key)[1:])
    public.verify(b64decode(blob)[4:], f"{text}\n".encode())
    assert SignedCheckpoint.read(log.first.note) == log.first
    assert PublicKey.read(KEY.public.verifier_text(origin)) == KEY.public


def test_signatures_are_worth_what_their_keys_are(log: Log) -> None:
    assert KEYS.worth(log.first) is Worth.GOOD
    assert TrustedKeys().worth(log.first) is Worth.UNKNOWN
    moved = Checkpoint(log.tenant.tenant_id, SIGNED_FIRST + 1, log.first.checkpoint.hash)
    assert KEYS.worth(SignedCheckpoint(moved, log.first.signatures)) is Worth.FORGED


@pytest.mark.parametrize("cut", [1, 40, 60, 100, 150])
def test_a_damaged_note_is_no_note(log: Log, cut: int) -> None:
    with pytest.raises(WrongNote):
        SignedCheckpoint.read(log.first.note[:-cut])
