"""Experiments: one script for each question, run as `python -m experiments.NAME`, or with `tiny` for a short check."""
