"""What those who run the service are told when access cannot be arranged as they wish."""


class AccessError(Exception):
    """A tenant or key cannot be made, found or changed; the message says why, and what to do."""
