"""Command `t2jax frontier`."""
