"""How this process collects garbage: what lives as long as it does is not looked through again."""

import gc

YOUNG_OBJECTS = 20_000
"""New containers between two collections: some hundred requests' worth."""


def spare_the_long_lived() -> None:
    """Exempt what startup has made from collection, and collect less often.

    A request makes some hundred containers, and reference counts free them; the collector finds
    next to nothing, yet by default looks through every module, model and route again and again:
    a quarter of the processor time of booking, in pauses of up to 0.1 s (docs/performance.md).
    Call it once, when startup is complete.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
