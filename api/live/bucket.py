"""How much a client may send: so much at once, and then so much a second."""

A_SECOND = 50.0
AT_ONCE = 500
"""More than a client needs that comes back and subscribes to all it may."""


class Bucket:
    """One of these measures."""

    def __init__(self, now: float) -> None:
        """Be full.

        Args:
            now: in seconds of a clock that never goes backwards.
        """
        self._left: float = AT_ONCE
        self._at = now

    def take(self, now: float) -> bool:
        """Take one out.

        Args:
            now: in seconds of the same clock.

        Returns:
            Whether there was one.
        """
        self._left = min(AT_ONCE, self._left + (now - self._at) * A_SECOND)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
