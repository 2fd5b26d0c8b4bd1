"""Answers to reads, kept in this process and in Redis for as long as the log says they are true."""

from infra.cache.answers import Answer, Answers
from infra.cache.entry import CachedKind, Entry, Question
from infra.cache.running import CacheSettings, running_answers

__all__ = [
    "Answer",
    "Answers",
    "CacheSettings",
    "CachedKind",
    "Entry",
    "Question",
    "running_answers",
]
