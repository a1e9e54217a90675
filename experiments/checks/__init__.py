"""Checks of t2jax itself that take longer than tests."""
