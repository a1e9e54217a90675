"""Command `t2jax fit`."""
