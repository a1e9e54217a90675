"""Posteriors of several tasks that share a population."""
