"""The command line: all that prints, nothing that computes."""
