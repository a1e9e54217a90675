"""Command `t2jax import`."""
