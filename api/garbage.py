"""How this process collects garbage: what lives as long as it does is not looked through again."""

import gc

YOUNG_OBJECTS = 10_000
"""New containers between two collections: those of some hundred and fifty commands under way.

With fewer than are under way at once, the collector looks through all of them again and again, and
finds that they are in use. With more, a collection that has that many in use takes longer than it
should, above all while requests of five hundred commands are under way (docs/performance.md).
"""

YOUNG_COLLECTIONS = 80
"""Between two that look through what survived these."""


def spare_the_long_lived() -> None:
    """Exempt what startup has made from collection, and collect less often.

    A request makes some hundred containers, and reference counts free them; the collector finds
    next to nothing, yet by default looks through every module, model and route again and again:
    a quarter of the processor time of booking, in pauses of up to 0.1 s (docs/performance.md).
    Call it once, when startup is complete.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_COLLECTIONS, 20)
