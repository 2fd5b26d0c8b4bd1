"""The server that the acceptance tests speak to, for what is best told by hand-made requests."""

from tests.acceptance.conftest import serving

__all__ = ["serving"]
