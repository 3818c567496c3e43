"""Experiments on the networks: what is measured, the theory it is compared with, tables and plots."""
