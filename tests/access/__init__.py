"""What the engine stands on, proven on real servers."""
