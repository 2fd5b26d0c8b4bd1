"""Who did what, when, and by which request: a line for each event, found by any of these."""
