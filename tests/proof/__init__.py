"""Proofs of a log: tampered with for real, and found out."""
