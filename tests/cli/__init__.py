"""The command line, as a process that is given arguments and answers."""
