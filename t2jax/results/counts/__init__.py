"""Readers of tools that score samples of questions."""
