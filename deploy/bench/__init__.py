"""Bench: the models of cost and time against synthesis and simulation, and the figures of docs/performance.md."""
