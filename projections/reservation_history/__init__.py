"""What was reserved, as known at each position of the log: the base of every `as_of`."""
