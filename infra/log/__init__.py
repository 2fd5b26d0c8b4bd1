"""The event log: its one door (append), the queue before it, and the ways to read it."""
