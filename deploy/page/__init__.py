"""A finished build as one page of HTML, read instead of the terminal: no network, no other file, any browser."""
