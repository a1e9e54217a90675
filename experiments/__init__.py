"""Experiments: one script for each question: `python -m experiments.FOLDER.NAME`, or with `tiny` for a short check."""
