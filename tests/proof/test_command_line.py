"""`booking audit` as it is typed: what it prints, and its exit status."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from api.cli import main, workplace
from tests.proof.conftest import B1, B2, EVENTS, KEY, STAGE, Log

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Run:
    """What came of a command."""

    status: int
    out: str
    err: str


Audit = Callable[..., Run]


@pytest.fixture
def audit(log: Log, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Audit:
    """Run a command in this process, since a process of its own takes a second to begin."""
    settings = {
        "DATABASE_URL": log.database.runtime_dsn,
        "MIGRATION_DATABASE_URL": log.database.owner_dsn,
        "BOOKING_MASTER_KEY": bytes(32).hex(),
        "BOOKING_SIGNING_KEY": bytes(range(32)).hex(),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(workplace, "configure_logging", lambda *_: None)

    def run(*words: str) -> Run:
        monkeypatch.setattr(sys, "argv", ["booking", "audit", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return Run(int(ended.value.code or 0), *capfd.readouterr())

    return run


def without_settings(*words: str) -> Run:
    run = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "api.cli", "audit", *words],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Run(run.returncode, run.stdout, run.stderr)


def test_a_log_is_verified_exported_signed_and_told(audit: Audit, log: Log, tmp_path: Path) -> None:
    export, note = tmp_path / "log.jsonl", tmp_path / "kept.note"
    verified = audit("verify", "--tenant", "studio")
    assert verified.status == 0, verified.err
    assert "studio: 10 events to position 10, 7 claims." in verified.out
    assert "Signed checkpoints, by a trusted key: 2." in verified.out
    assert verified.out.endswith("Nothing is wrong.\n")

    signed = audit("checkpoint", "--tenant", "studio")
    assert (signed.status, signed.out) == (0, log.last.note)
    note.write_text(signed.out)

    exported = audit("export", "--tenant", "studio", "--out", str(export))
    assert exported.status == 0, exported.err
    assert f"booking audit check {export}" in exported.err
    origin = log.last.checkpoint.origin
    known = ("--key", KEY.public.verifier_text(origin), "--checkpoint", str(note), "--json")
    facts = json.loads(without_settings("check", str(export), *known).out)
    assert (facts["sound"], facts["events"], facts["checkpoints"]) == (True, EVENTS, 2)

    told = audit("replay", "--tenant", "studio", "--from", "5", "--to", "6")
    assert [line[:8] for line in told.out.splitlines() if line[:8].strip()] == [
        "     5  ",
        "     6  ",
    ]


def test_what_was_known_at_a_moment_is_told(audit: Audit) -> None:
    told = audit("as-of", "--tenant", "studio", "--at", "6")
    assert told.status == 0, told.err
    heading, *lines, count = told.out.splitlines()
    assert heading.startswith("At position 6, 20")
    assert lines == [
        f'2027-03-01 09:00Z to 2027-03-01 10:00Z  confirmed  "Finale" on "Stage 1" ({B1})',
        f'2027-03-01 11:00Z to 2027-03-01 12:00Z  confirmed  "Pilot" on "Stage 1", "Camera" ({B2})',
    ]
    assert count == "2 bookings."
    when = heading.partition(", ")[2].replace(" ", "T")
    assert audit("as-of", "--tenant", "studio", "--at", when).out == told.out

    of_stage = ("--tenant", "studio", "--resource", str(STAGE), "--to", "2027-03-01T11:00:00Z")
    occupying = [audit("as-of", *of_stage, "--at", at).out.splitlines()[1:-1] for at in "248"]
    assert [[line.rpartition(" ")[2] for line in lines] for lines in occupying] == [
        [],
        [f"({B1})"],
        [f"({B2})"],
    ]
    assert "No booking." in audit("as-of", "--tenant", "studio", "--at", "0").out

    one = audit("as-of", "--tenant", "studio", "--at", "4", "--booking", str(B2))
    facts = [line.split(maxsplit=1) for line in one.out.splitlines()[2:]]
    assert facts[:4] == [
        ["status", '"held"'],
        ["title", '"Pilot"'],
        ["resource_ids", '"Stage 1", "Camera"'],
        ["start_time", '"2027-03-01T11:00:00Z"'],
    ]
    sealed = audit("as-of", "--tenant", "studio", "--at", "4", "--booking", str(B1))
    assert "customer          sealed, key " in sealed.out
    assert "Ada" not in sealed.out


def test_a_rewritten_log_is_exposed_with_1(audit: Audit, log: Log, tmp_path: Path) -> None:
    note, export = tmp_path / "kept.note", tmp_path / "log.jsonl"
    note.write_text(log.first.note)
    alter = "update booking.event set state = replace(state, %s, %s) where seq = 2"
    with psycopg.connect(log.database.owner_dsn, autocommit=True) as owner:
        owner.execute(alter, ["Camera", "Kamera"])
        try:
            verified = audit("verify", "--json")
            told = audit("verify")
            consistent = audit("consistent", str(note))
            audit("export", "--tenant", "studio", "--out", str(export))
            elsewhere = audit("consistent", str(note), "--export", str(export))
        finally:
            owner.execute(alter, ["Kamera", "Camera"])
    assert (verified.status, consistent.status, elsewhere.status) == (1, 1, 1)
    [of_log] = json.loads(verified.out)["logs"]
    [finding] = of_log["found"]
    assert (finding["position"], finding["problem"]) == (2, "altered")
    # The projection is right and the log is wrong: nobody is told to fold that anew.
    assert "resource of studio: NOT what the log tells" in told.out
    assert "Put it right" not in told.out
    assert "position 2" in consistent.out
    assert "position 2" in elsewhere.out
    assert audit("consistent", str(note)).status == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["verify", "--tenant", "nobody"], "There is no tenant 'nobody'"),
        (["check", "README.md", "--key", "x"], "A public key has 32 bytes"),
        (["consistent", "README.md"], "is no signed checkpoint of a booking log"),
        (["checkpoint"], "BOOKING_SIGNING_KEY is not set"),
        (["as-of", "--tenant", "studio", "--at", "11"], "no position 11. Give one until 10"),
        (["as-of", "--tenant", "studio", "--at", "2199-01-01T00:00:00Z"], "has not come yet"),
        (["as-of", "--tenant", "studio", "--at", "yesterday"], "as RFC 3339 writes it"),
        (
            ["as-of", "--tenant", "studio", "--at", "3", "--booking", str(B2)],
            "There was no booking",
        ),
    ],
)
def test_misuse_is_2(
    audit: Audit, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.delenv("BOOKING_SIGNING_KEY")
    words = [str(REPOSITORY / word) if word == "README.md" else word for word in words]
    run = audit(*words)
    assert (run.status, run.out) == (2, "")
    assert said in run.err
    assert "Traceback" not in run.err
