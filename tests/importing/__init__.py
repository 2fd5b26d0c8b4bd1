"""Tests of the CSV import: broken files, planning, and what the engine makes of a schedule."""
