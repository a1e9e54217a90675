"""Compiled programs: on which devices they run, and files that hold them."""
