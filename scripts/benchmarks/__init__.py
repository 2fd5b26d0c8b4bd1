"""What `scripts/bench` measures; docs/performance.md tells what was found."""
