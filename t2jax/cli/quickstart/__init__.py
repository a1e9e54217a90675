"""Command `t2jax quickstart`."""
