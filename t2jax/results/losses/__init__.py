"""Readers of tools that log the loss of training runs."""
