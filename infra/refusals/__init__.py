"""What the domain refused: noted in the process, kept in the database, beside the commands."""

from infra.refusals.keeping import RefusalKeeper
from infra.refusals.listing import KeptRefusal, RefusalFilter, RefusalPlace, list_refusals
from infra.refusals.noting import RefusalNotes
from infra.refusals.purging import purge_refusals
from infra.refusals.refusal import REASONS, RefusedCommand

__all__ = [
    "REASONS",
    "KeptRefusal",
    "RefusalFilter",
    "RefusalKeeper",
    "RefusalNotes",
    "RefusalPlace",
    "RefusedCommand",
    "list_refusals",
    "purge_refusals",
]
