"""Command `t2jax plan`."""
