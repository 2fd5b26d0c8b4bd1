"""What makes a benchmark's figures worthless, so that it stops and gives none."""


class BenchFailed(Exception):
    """An answer, a count or a server is not as it must be; the message says what was seen."""
