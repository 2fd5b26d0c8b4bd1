"""Live updates: the ways by which clients hear of changes as they happen."""
