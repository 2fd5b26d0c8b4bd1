"""How much of a thing there may be at most, for whoever takes it in: HTTP, import, the domain.

Lengths are in characters.
"""

MAX_RESOURCES = 100  # claimed by one booking
MAX_NAME = 200
MAX_KIND = 200
MAX_TITLE = 200
MAX_REFERENCE = 100
