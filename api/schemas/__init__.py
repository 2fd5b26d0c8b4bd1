"""The bodies that clients send and get, with their bounds and examples."""
