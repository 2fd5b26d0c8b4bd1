"""A token that is nobody's."""


class Rejected(Exception):
    """The token does not let in.

    Attributes:
        reason: for those who run the service; never a part of the token, which may be anything.
    """

    def __init__(self, reason: str) -> None:
        """Says why."""
        super().__init__(reason)
        self.reason = reason
