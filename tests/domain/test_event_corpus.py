"""What was ever stored is read for ever: a kept corpus of states, as they lie in logs.

`corpus/events.jsonl` has a line for each version of each topic: {topic, state, expect}, where
`state` is the stored text and `expect` what it means today. Lines are added, never altered.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from eventsourcing.persistence import StoredEvent

from domain.mapper import EVENTS, EventMapper, upcast
from tests.domain.scenario import NOW

CORPUS = Path(__file__).with_name("corpus") / "events.jsonl"
TODAY = {event.TOPIC: event.class_version for events in EVENTS.values() for event in events}


@dataclass(frozen=True)
class Kept:
    topic: str
    state: str
    expect: dict[str, Any]

    @property
    def class_version(self) -> int:
        version = json.loads(self.state).get("class_version", 1)
        assert isinstance(version, int)
        return version

    def __str__(self) -> str:
        return f"{self.topic} v{self.class_version}"


LINES = [Kept(**json.loads(line)) for line in CORPUS.read_text("utf-8").splitlines()]


def test_every_version_of_every_topic_is_in_the_corpus() -> None:
    ever = {(topic, v + 1) for topic, today in TODAY.items() for v in range(today)}

    assert {(kept.topic, kept.class_version) for kept in LINES} == ever


@pytest.mark.parametrize("kept", LINES, ids=str)
def test_a_kept_state_means_today_what_is_expected_of_it(kept: Kept) -> None:
    state = json.loads(kept.state)

    assert upcast(kept.topic, state) == kept.expect
    assert state == json.loads(kept.state), "what was stored is left as it is"


@pytest.mark.parametrize("kept", LINES, ids=str)
def test_a_kept_state_is_read_and_written_as_todays_version(kept: Kept) -> None:
    mapper = EventMapper()
    stored = StoredEvent(UUID(int=7), 3, kept.topic, kept.state.encode())

    written = mapper.to_stored_event(mapper.to_domain_event(stored, NOW))

    today = TODAY[kept.topic]
    if kept.class_version == today:
        assert written == stored, "the same event, byte for byte"
    else:
        expect = {**kept.expect, "class_version": today}
        assert json.loads(written.state) == expect
