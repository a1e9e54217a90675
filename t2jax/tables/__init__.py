"""Measurement tables: rows are checked once, when they are read."""
