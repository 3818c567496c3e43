"""RTL library, its bindings to FINN, its simulation harness and its boards."""
