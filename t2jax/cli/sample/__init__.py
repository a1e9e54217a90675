"""Command `t2jax sample`."""
