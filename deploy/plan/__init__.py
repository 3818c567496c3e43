"""The hardware graph in time and space: its view, folding, width converters, FIFOs, cycles."""
