"""The ladder: the same images through every representation, and where two of them differ."""
