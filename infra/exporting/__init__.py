"""What analysts take away: bookings, utilisation, refusals, events: CSV, JSON Lines or Parquet."""

from infra.exporting.contents import BOOKINGS, EVENTS, REFUSALS, UTILISATION, Contents
from infra.exporting.formats import FORMATS, Format, FormatMissing, writing
from infra.exporting.reading import Exported, NotProjected, opened_export
from infra.exporting.window import Window, WrongWindow, days, moments

__all__ = [
    "BOOKINGS",
    "EVENTS",
    "FORMATS",
    "REFUSALS",
    "UTILISATION",
    "Contents",
    "Exported",
    "Format",
    "FormatMissing",
    "NotProjected",
    "Window",
    "WrongWindow",
    "days",
    "moments",
    "opened_export",
    "writing",
]
