"""The ways in: HTTP and the command line, wired in one composition root."""
