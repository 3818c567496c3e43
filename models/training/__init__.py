"""Training: the loop, and what belongs to it, one idea a file."""
