"""Everything the program has to prove, on real servers."""
