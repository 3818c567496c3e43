"""Normalisation and quantised layers, one idea per file."""
