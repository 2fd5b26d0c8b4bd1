"""Projections held against the log, and rebuilt from it."""
