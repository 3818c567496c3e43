"""Graph passes of the compiler, one idea a file."""
