"""The database's schema: numbered SQL files, applied once each, and functions, replaced whole."""
