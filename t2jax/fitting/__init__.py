"""Fits of laws to tables, bootstraps, and the files of both."""
