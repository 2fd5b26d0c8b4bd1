"""The proof of a log: checked, exported, signed, and told again as it happened."""
