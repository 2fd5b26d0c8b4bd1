"""What can be booked, and when: aggregates, commands, events, errors; no input or output."""
