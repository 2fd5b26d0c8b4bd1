"""Answers to reads, kept in this process and in Redis for as long as the log says they are true."""

from infra.cache.answers import Answer, Answers
from infra.cache.entry import CachedKind, Entry, Question
from infra.cache.local import LocalCache
from infra.cache.running import running_answers

__all__ = [
    "Answer",
    "Answers",
    "CachedKind",
    "Entry",
    "LocalCache",
    "Question",
    "running_answers",
]
