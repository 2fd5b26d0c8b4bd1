"""Read models: what is folded from the log for readers, and the queries that ask them."""
