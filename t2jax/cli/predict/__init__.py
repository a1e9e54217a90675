"""Command `t2jax predict`."""
