"""The holds that are open: what a ceiling on hoarding counts."""
