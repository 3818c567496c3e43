"""Vivado: project texts, checks without it, its run, its reports."""
