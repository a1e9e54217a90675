"""Command `t2jax next`."""
