"""Command `t2jax passk`."""
