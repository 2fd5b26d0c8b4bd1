"""The HTTP layer, against a real engine on a real database."""
